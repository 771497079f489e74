"""``GET /credits/history``."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.credits.moves import debit, grant, refund
from tests.orders.walk import order
from tokportal_server.lib.clock import real_now, wire_time
from tokportal_server.lib.db import Connection

PATH = "/credits/history"


async def _rows(client: Client, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await client.get(PATH, params=params)).data
    return rows


async def test_an_order_stands_there_with_its_price_and_its_parts(alice: Client) -> None:
    bundle = (await alice.post("/bundles", order(wants_moderation=True))).data
    entry, opening = await _rows(alice)

    assert entry["type"] == "debit"
    assert entry["amount"] == -54
    assert entry["balance_after"] == CREDITS - 54
    assert entry["reference"] == {"kind": "bundle", "id": bundle["id"]}
    assert entry["breakdown"]["account_creation"] == 25
    assert entry["breakdown"]["moderation"] == 25
    assert entry["breakdown"]["total"] == 54
    assert entry["created_at"] == bundle["created_at"]
    assert (opening["type"], opening["amount"], opening["breakdown"]) == ("credit", CREDITS, {})
    assert opening["description"] == "Opening balance"


async def test_newest_first_with_running_balance_and_every_kind_of_entry(
    alice: Client, world: World, conn: Connection
) -> None:
    now = real_now()
    ends = now + timedelta(days=2)
    await grant(conn, world.acme, 10, now=now, expires_at=ends)
    entry = await debit(conn, world.acme, 4, now=now + timedelta(days=1))
    await refund(conn, world.acme, entry, 3, now=now + timedelta(days=3))

    rows = await _rows(alice)

    shown = [(row["type"], row["amount"], row["balance_after"]) for row in rows]
    assert shown == [
        ("refund", 3, CREDITS + 3),
        ("expiry", -6, CREDITS),
        ("debit", -4, CREDITS + 6),
        ("credit", 10, CREDITS + 10),
        ("credit", CREDITS, CREDITS),
    ]
    times = [row["created_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    # An expiry happened when the lot ended, whenever it was booked.
    assert times[1] == wire_time(ends)


async def test_names_the_lot_when_one_paid_and_none_when_several_did(
    alice: Client, world: World, conn: Connection
) -> None:
    now = real_now()
    await grant(conn, world.acme, 10, now=now, expires_at=now + timedelta(days=2))
    one = await debit(conn, world.acme, 10, now=now)
    await grant(conn, world.acme, 10, now=now, expires_at=now + timedelta(days=2))
    two = await debit(conn, world.acme, 11, now=now)

    rows = {row["id"]: row for row in await _rows(alice)}

    granted = [row["lot_id"] for row in rows.values() if row["type"] == "credit"]
    assert len(set(granted)) == 3
    assert rows[str(one)]["lot_id"] in granted
    assert rows[str(two)]["lot_id"] is None


async def test_days_are_inclusive_at_both_ends(
    charlie: Client, world: World, conn: Connection
) -> None:
    day = real_now().date() + timedelta(days=10)
    noon = datetime.combine(day, time(12), UTC)
    midnight = datetime.combine(day, time(), UTC)
    instants = {
        1: midnight - timedelta(microseconds=1),
        2: midnight,
        3: noon,
        4: midnight + timedelta(days=1, microseconds=-1),
        5: midnight + timedelta(days=1),
    }
    for amount, instant in instants.items():
        await grant(conn, world.other, amount, now=instant)

    async def amounts(**params: Any) -> list[int]:
        return [row["amount"] for row in await _rows(charlie, **params)]

    assert await amounts(date_from=str(day), date_to=str(day)) == [4, 3, 2]
    assert await amounts(date_from=str(day)) == [5, 4, 3, 2]
    assert await amounts(date_to=str(day)) == [4, 3, 2, 1, CREDITS]
    assert await amounts(date_from=str(day + timedelta(days=2))) == []
    assert await amounts(date_from=str(day), date_to=str(day - timedelta(days=5))) == []


@pytest.mark.parametrize("params", [{"date_to": "9999-12-31"}, {"date_from": "0001-01-01"}])
async def test_the_ends_of_the_calendar_are_days_too(alice: Client, params: dict[str, str]) -> None:
    assert len(await _rows(alice, **params)) == 1


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_to": "2026-02-30"}, "date_to"),
        ({"date_from": "2026-11-23T08:00:00Z"}, "date_from"),
        ({"page": "0"}, "page"),
        ({"per_page": "101"}, "per_page"),
        ({"per_page": "many"}, "per_page"),
        ([("date_to", "2026-11-23"), ("date_to", "2026-11-24")], "date_to"),
    ],
)
async def test_refuses_what_is_not_a_day_or_a_page(alice: Client, params: Any, field: str) -> None:
    reply = await alice.get(PATH, params=params)
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == {field}


async def test_names_every_problem_at_once(alice: Client) -> None:
    reply = await alice.get(PATH, params={"page": "0", "per_page": "0", "date_to": "x"})
    assert set(reply.problems) == {"page", "per_page", "date_to"}


async def test_pages_hold_each_entry_once(alice: Client, world: World, conn: Connection) -> None:
    for amount in range(1, 7):
        await grant(conn, world.acme, amount, now=real_now())
    seen: list[int] = []
    for page in (1, 2, 3, 4):
        reply = await alice.get(PATH, params={"page": str(page), "per_page": "3"})
        assert reply.json["pagination"] == {
            "page": page,
            "per_page": 3,
            "total": 7,
            "total_pages": 3,
        }
        seen += [row["amount"] for row in reply.data]
    assert seen == [6, 5, 4, 3, 2, 1, CREDITS]


async def test_total_counts_what_the_days_let_through(
    alice: Client, world: World, conn: Connection
) -> None:
    day = real_now() + timedelta(days=4)
    for _ in range(3):
        await grant(conn, world.acme, 1, now=day)
    params = {"date_from": str(day.date()), "per_page": "2"}
    assert (await alice.get(PATH, params=params)).json["pagination"]["total"] == 3


async def test_shows_nothing_of_another_workspace(
    charlie: Client, bob: Client, world: World, conn: Connection
) -> None:
    await debit(conn, world.acme, 5, now=real_now())
    assert [row["type"] for row in await _rows(charlie)] == ["credit"]
    assert [row["type"] for row in await _rows(bob)] == ["debit", "credit"]


async def test_no_key_no_history(nobody: Client) -> None:
    assert (await nobody.get(PATH)).code == "AUTH_MISSING_KEY"
