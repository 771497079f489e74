"""A rehearsal's clock passes the ends of lots and of empty slots, each at its own moment."""

from __future__ import annotations

from datetime import timedelta

from tests.cast import World
from tests.client import Client
from tests.credits.moves import grant
from tests.orders.walk import events_of, ordered
from tests.rehearsal.test_clock import advance
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import examine

DAY = timedelta(days=1)


async def test_lots_are_warned_of_and_end_and_empty_slots_go_on_the_way(
    alice: Client, conn: Connection, world: World
) -> None:
    now = real_now()
    ends = now + 20 * DAY
    await grant(conn, world.acme, 50, now=now, expires_at=ends)
    bundle_id = await ordered(alice, videos=1)
    made = await conn.fetchval("SELECT moved_at FROM bundles")
    await advance(alice, 24 * 61)
    [warning] = await events_of(conn, world, "credits.expiring")
    assert warning["data"]["amount"] == 50 - 27
    assert abs(warning["created_at"] - (ends - 7 * DAY)) < timedelta(minutes=1)
    rows = (await alice.get("/credits/history")).data
    assert [(row["type"], row["amount"]) for row in rows[:2]] == [("refund", 2), ("expiry", -23)]
    ended = await conn.fetchval("SELECT created_at FROM credit_entries WHERE type = 'expiry'")
    assert ended == ends
    gone = await conn.fetchval("SELECT at FROM journal WHERE to_status = 'cancelled'")
    assert abs(gone - (made + 60 * DAY)) < timedelta(minutes=1)
    # The lot that had paid was over: its refund lives for another 30 days.
    again = await conn.fetchval("SELECT expires_at FROM credit_lots WHERE remaining = 2")
    assert again == gone + 30 * DAY
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert slot["status"] == "cancelled"
    await advance(alice, 24 * 31)
    assert len(await events_of(conn, world, "credits.expiring")) == 2
    assert [f for f in await examine(conn) if f.contradictions] == []
