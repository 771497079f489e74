"""``GET /credits/balance``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.credits.moves import debit, grant
from tests.orders.walk import order
from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.lib.clock import real_now, wire_time
from tokportal_server.lib.db import Connection


async def test_shows_what_can_be_spent_and_what_will_expire_when(
    bob: Client, world: World, conn: Connection
) -> None:
    now = real_now()
    soon, later = now + timedelta(days=7), now + timedelta(days=8)
    await grant(conn, world.acme, 50, now=now, expires_at=later, source="bonus")
    await grant(conn, world.acme, 20, now=now, expires_at=soon, source="promotion")

    balance = (await bob.get("/credits/balance")).data

    assert balance.pop("last_updated") >= wire_time(now)
    assert balance == {
        "total_credits": CREDITS + 70,
        "credits": CREDITS + 70,
        "expiring_within_7_days": 20,
        "upcoming_expirations": [
            {"amount": 20, "expires_at": wire_time(soon), "source": "promotion"},
            {"amount": 50, "expires_at": wire_time(later), "source": "bonus"},
        ],
    }


async def test_a_lot_counts_with_what_is_left_of_it(
    alice: Client, world: World, conn: Connection
) -> None:
    now = real_now()
    ends = now + timedelta(days=3)
    await grant(conn, world.acme, 20, now=now, expires_at=ends)
    await grant(conn, world.acme, 5, now=now, expires_at=now + timedelta(days=2))
    await debit(conn, world.acme, 12, now=now)
    balance = (await alice.get("/credits/balance")).data
    assert [lot["amount"] for lot in balance["upcoming_expirations"]] == [13]
    assert balance["expiring_within_7_days"] == 13
    assert balance["credits"] == CREDITS + 13


async def test_an_order_may_cost_the_whole_balance_and_no_credit_more(
    charlie: Client, world: World, conn: Connection
) -> None:
    # A lot that is past its time but not booked yet counts neither for the eye nor for the purse.
    past = real_now() - timedelta(days=1)
    await conn.execute(
        "UPDATE wallets SET settled_at = '-infinity' WHERE workspace_id = $1", world.other
    )
    await grant(conn, world.other, 500, now=past, expires_at=past + timedelta(hours=1))
    shown = (await charlie.get("/credits/balance")).data
    assert shown["credits"] == CREDITS
    assert shown["upcoming_expirations"] == []

    with pytest.raises(InsufficientCreditsError) as refusal:
        await debit(conn, world.other, CREDITS + 1, now=real_now())
    assert refusal.value.details["available"] == CREDITS
    await debit(conn, world.other, CREDITS, now=real_now())
    assert (await charlie.get("/credits/balance")).data["credits"] == 0


async def test_a_refusal_for_lack_of_credits_leaves_no_trace(
    alice: Client, world: World, conn: Connection
) -> None:
    await debit(conn, world.acme, CREDITS - 28, now=real_now())
    reply = await alice.post("/bundles", order())
    assert (reply.status, reply.code) == (402, "INSUFFICIENT_CREDITS")
    assert reply.details["required"] == 29
    assert reply.details["available"] == 28
    assert reply.details["missing"] == 1
    assert reply.details["breakdown"]["total"] == 29
    assert (await alice.get("/credits/balance")).data["credits"] == 28
    assert (await alice.get("/credits/history")).json["pagination"]["total"] == 2
    for table in ("bundles", "slots", "journal", "events", "counters"):
        assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_no_key_no_balance(nobody: Client) -> None:
    assert (await nobody.get("/credits/balance")).code == "AUTH_MISSING_KEY"
