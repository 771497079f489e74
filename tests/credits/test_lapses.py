"""What time does to credits, and what their owner is told: expiring, low, restored."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.credits.moves import debit, empty_workspace, grant, refund
from tests.orders.walk import events_of, order
from tests.workbench.test_deadlines import later, sweep
from tokportal_server.credits.lapses import set_low_mark
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.clock import real_now, wire_time
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.deadlines import Deadlines
from tokportal_server.workbench.doctor import examine

DAY = timedelta(days=1)
EXPIRIES = """
SELECT amount, balance_after, created_at, business_key FROM credit_entries
 WHERE workspace_id = $1 AND type = 'expiry' ORDER BY ordinal
"""


async def mark(conn: Connection, world: World, credits_below: int) -> None:
    """Have Alice's workspace told below so many credits."""
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        await set_low_mark(tx=tx, credits_below=credits_below)


async def told(conn: Connection, world: World) -> list[tuple[str, int]]:
    """Give the levels that were told, with the credits at the time."""
    rows = await events_of(conn, world, "credits.low", "credits.restored")
    return [(row["type"].removeprefix("credits."), row["data"]["credits"]) for row in rows]


async def test_what_expires_is_booked_without_anybodys_call_at_the_time_that_it_ended(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    now = real_now()
    await grant(conn, world.acme, 10, now=now, expires_at=now + 8 * DAY)
    await grant(conn, world.acme, 20, now=now, expires_at=now + 9 * DAY)
    assert await sweep(conn, ports, now + 8 * DAY) == ["lots"]
    [entry] = await conn.fetch(EXPIRIES, world.acme)
    assert (entry["amount"], entry["balance_after"]) == (-10, CREDITS + 20)
    assert entry["created_at"] == now + 8 * DAY
    assert await sweep(conn, ports, now + 8 * DAY) == []
    newest = (await alice.get("/credits/history")).data[0]
    assert (newest["type"], newest["amount"]) == ("expiry", -10)
    assert newest["reference"] == {"kind": "lot", "id": newest["lot_id"]}
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_warns_of_a_lots_end_seven_days_ahead_and_once(
    conn: Connection, world: World, ports: Ports
) -> None:
    now = real_now()
    ends = now + 30 * DAY
    await grant(conn, world.acme, 10, now=now, expires_at=ends)
    assert await sweep(conn, ports, ends - 7 * DAY - timedelta(milliseconds=1)) == []
    assert await sweep(conn, ports, ends - 7 * DAY) == ["lots"]
    assert await sweep(conn, ports, ends - 6 * DAY) == []
    [event] = await events_of(conn, world, "credits.expiring")
    lot = await conn.fetchval("SELECT id FROM credit_lots WHERE amount = 10")
    assert event["data"] == {"lot_id": str(lot), "amount": 10, "expires_at": wire_time(ends)}
    assert event["created_at"] == ends - 7 * DAY


async def test_tells_what_is_left_of_the_lot_and_nothing_of_one_that_is_empty(
    conn: Connection, world: World, ports: Ports
) -> None:
    now = real_now()
    await grant(conn, world.acme, 10, now=now, expires_at=now + 3 * DAY)
    await grant(conn, world.acme, 10, now=now, expires_at=now + 4 * DAY)
    await debit(conn, world.acme, 14, now=now)
    assert await sweep(conn, ports, now) == ["lots"]
    assert [e["data"]["amount"] for e in await events_of(conn, world, "credits.expiring")] == [6]


async def test_a_lot_that_a_refund_revived_has_a_new_end_to_be_warned_of(
    conn: Connection, world: World, ports: Ports
) -> None:
    now = real_now()
    await grant(conn, world.acme, 10, now=now, expires_at=now + DAY)
    entry = await debit(conn, world.acme, 10, now=now)
    back = now + 2 * DAY
    await refund(conn, world.acme, entry, 10, now=back)
    assert await sweep(conn, ports, back + 23 * DAY - timedelta(seconds=1)) == []
    for moment in (back + 23 * DAY, back + 30 * DAY):
        assert await sweep(conn, ports, moment) == ["lots"]
        assert await sweep(conn, ports, moment) == []
    assert len(await events_of(conn, world, "credits.expiring")) == 1
    assert [row["amount"] for row in await conn.fetch(EXPIRIES, world.acme)] == [-10]


async def test_two_sweepers_at_once_book_and_warn_once(
    conn: Connection, database: Database, world: World, ports: Ports
) -> None:
    now = real_now()
    await grant(conn, world.acme, 10, now=now, expires_at=now + DAY)
    await grant(conn, world.acme, 10, now=now, expires_at=now + 2 * DAY)
    at = now + DAY
    async with database.connection() as one, database.connection() as two:
        results = await asyncio.gather(sweep(one, ports, at), sweep(two, ports, at))
    assert sorted(results, key=len) == [[], ["lots"]]
    assert len(await conn.fetch(EXPIRIES, world.acme)) == 1
    assert len(await events_of(conn, world, "credits.expiring")) == 1


async def test_each_workspaces_lots_end_by_its_own_clock(
    conn: Connection, database: Database, world: World, ports: Ports
) -> None:
    now = real_now()
    for workspace in (world.acme, world.other):
        await grant(conn, workspace, 10, now=now, expires_at=now + 20 * DAY)
    await conn.execute(
        "UPDATE workspaces SET rehearsal = true, clock_offset = '20 days' WHERE id = $1", world.acme
    )
    assert await Deadlines(database, OrderRules.of(ports.settings)).run_once() == 1
    assert len(await conn.fetch(EXPIRIES, world.acme)) == 1
    assert await conn.fetch(EXPIRIES, world.other) == []


async def test_low_is_told_once_until_the_credits_were_back_above(
    conn: Connection, world: World
) -> None:
    now = real_now()
    await mark(conn, world, 100)
    assert await told(conn, world) == []
    first = await debit(conn, world.acme, CREDITS - 100, now=now)
    # Exactly the mark is not below it.
    assert await told(conn, world) == []
    await debit(conn, world.acme, 1, now=now)
    await debit(conn, world.acme, 1, now=now)
    assert await told(conn, world) == [("low", 99)]
    await grant(conn, world.acme, 1, now=now)
    assert await told(conn, world) == [("low", 99)]
    await refund(conn, world.acme, first, 5, now=now)
    await refund(conn, world.acme, first, 5, now=now)
    assert await told(conn, world) == [("low", 99), ("restored", 104)]
    await debit(conn, world.acme, 50, now=now)
    assert await told(conn, world) == [("low", 99), ("restored", 104), ("low", 59)]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_an_expiry_that_takes_credits_below_the_mark_is_told(
    conn: Connection, world: World, ports: Ports
) -> None:
    now = real_now()
    await grant(conn, world.acme, 50, now=now, expires_at=now + 20 * DAY)
    await mark(conn, world, CREDITS + 1)
    assert await told(conn, world) == []
    assert await sweep(conn, ports, now + 20 * DAY) == ["lots"]
    assert await told(conn, world) == [("low", CREDITS)]
    [event] = await events_of(conn, world, "credits.low")
    assert event["data"]["threshold"] == CREDITS + 1


async def test_a_refused_order_tells_nothing_and_one_that_is_paid_does(
    alice: Client, conn: Connection, world: World
) -> None:
    await debit(conn, world.acme, CREDITS - 40, now=real_now())
    await mark(conn, world, 20)
    assert (await alice.post("/bundles", order(20))).code == "INSUFFICIENT_CREDITS"
    dry = await alice.post("/bundles", order(2), headers={"X-TokPortal-Dry-Run": "true"})
    assert dry.status == 201
    assert await told(conn, world) == []
    assert (await alice.post("/bundles", order(2))).status == 201
    assert await told(conn, world) == [("low", 11)]
    types = [row["type"] for row in await events_of(conn, world, "bundle.created", "credits.low")]
    assert sorted(types) == ["bundle.created", "credits.low"]


async def test_a_mark_set_above_what_there_is_is_told_at_once_and_zero_ends_it(
    conn: Connection, world: World
) -> None:
    await mark(conn, world, CREDITS + 5)
    await mark(conn, world, CREDITS + 6)
    assert await told(conn, world) == [("low", CREDITS)]
    await mark(conn, world, 0)
    assert await told(conn, world) == [("low", CREDITS), ("restored", CREDITS)]


@pytest.mark.parametrize("amount", [-1, 10**7])
async def test_refuses_a_mark_that_is_none(conn: Connection, world: World, amount: int) -> None:
    with pytest.raises(ValidationError):
        await mark(conn, world, amount)


async def test_twenty_writers_cross_the_mark_once(
    conn: Connection, database: Database, world: World
) -> None:
    await mark(conn, world, CREDITS - 10)

    async def spend() -> None:
        async with database.connection() as mine:
            await debit(mine, world.acme, 1, now=real_now())

    await asyncio.gather(*(spend() for _ in range(20)))
    assert await told(conn, world) == [("low", CREDITS - 11)]


async def test_a_workspace_without_credits_is_left_alone(conn: Connection, ports: Ports) -> None:
    await empty_workspace(conn)
    assert await sweep(conn, ports, later(10_000)) == []


def _moments(data: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(data["expires_at"])


async def test_balance_and_history_say_what_the_contract_says(
    alice: Client, conn: Connection, world: World
) -> None:
    now = real_now()
    await grant(conn, world.acme, 5, now=now, expires_at=now + 3 * DAY, source="promotion")
    await grant(conn, world.acme, 7, now=now, expires_at=now + 30 * DAY)
    await alice.post("/bundles", order(0))
    balance = (await alice.get("/credits/balance")).data
    # The order cost 25: the lots that end first paid for it.
    assert balance["credits"] == balance["total_credits"] == CREDITS + 12 - 25
    assert (balance["expiring_within_7_days"], balance["upcoming_expirations"]) == (0, [])
    await grant(conn, world.acme, 5, now=now, expires_at=now + 3 * DAY, source="promotion")
    await grant(conn, world.acme, 7, now=now, expires_at=now + 30 * DAY)
    balance = (await alice.get("/credits/balance")).data
    assert balance["expiring_within_7_days"] == 5
    assert [(lot["amount"], lot["source"]) for lot in balance["upcoming_expirations"]] == [
        (5, "promotion"),
        (7, "purchase"),
    ]
    first, second = map(_moments, balance["upcoming_expirations"])
    assert first < second
    rows = (await alice.get("/credits/history")).data
    assert [row["type"] for row in rows] == [
        "credit",
        "credit",
        "debit",
        "credit",
        "credit",
        "credit",
    ]
    spent = rows[2]
    assert spent["breakdown"]["account_creation"] == spent["breakdown"]["total"] == 25
    # Three lots paid, so none is the lot of this entry.
    assert spent["lot_id"] is None
    assert rows[0]["lot_id"] == rows[0]["reference"]["id"]
