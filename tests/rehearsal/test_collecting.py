"""Numbers of a rehearsal: they come by its own clock, and time makes them grow."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.cast import World
from tests.client import Client
from tests.orders.walk import published_with_videos
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

EVENTS = """
SELECT (data ->> 'refreshed_at')::timestamptz AS at, data FROM events
 WHERE type = 'analytics.refreshed' ORDER BY sequence
"""
BIOGRAPHY = "UPDATE saved_accounts SET biography = $1"
FAILURES = "SELECT failures, failure_reason FROM analytics_refreshes"
VIEWS = "SELECT views FROM tracked_posts"


async def advanced(alice: Client, hours: int) -> Any:
    reply = await alice.post("/clock/advance", {"hours": hours}, base="/api/rehearsal")
    assert reply.status == 200, reply.json
    return reply.data


async def delivered(alice: Client, conn: Connection, world: World) -> str:
    """Have the simulated managers set up an account and post on it; give the account's id."""
    await published_with_videos(alice, conn, world, videos=1)
    await advanced(alice, 24 * 10)
    [account] = (await alice.get("/accounts")).data
    assert account["delivered_at"] is not None
    return str(account["id"])


async def test_the_clock_brings_numbers_about_once_a_day(
    alice: Client, conn: Connection, world: World
) -> None:
    await delivered(alice, conn, world)
    before = len(await conn.fetch(EVENTS))
    await advanced(alice, 24 * 10)
    times: list[datetime] = [row["at"] for row in await conn.fetch(EVENTS)]
    assert 8 <= len(times) - before <= 12
    steps = [after - earlier for earlier, after in pairwise(times)]
    assert all(timedelta(hours=21) < step < timedelta(hours=27) for step in steps)


async def test_a_refresh_works_without_any_connection_and_shows_what_was_posted(
    alice: Client, conn: Connection, world: World
) -> None:
    account = await delivered(alice, conn, world)
    allowed = (await alice.get(f"/accounts/{account}/analytics/can-refresh")).data
    assert (allowed["can_refresh"], allowed["reason"]) == (True, None)
    reply = await alice.post(
        f"/accounts/{account}/analytics/refresh", {"bootstrapPosts": True, "forcePosts": True}
    )
    assert (reply.status, reply.data["posts_imported"]) == (200, 3)
    again = await alice.post(f"/accounts/{account}/analytics/refresh", {})
    assert again.code == "REFRESH_COOLDOWN"
    # The cooldown is of the rehearsal's clock.
    await advanced(alice, 24)
    assert (await alice.post(f"/accounts/{account}/analytics/refresh", {})).status == 200


async def test_an_outage_is_tried_again_and_passes(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    assert ports.settings.analytics_refresh_hours == 24
    account = await delivered(alice, conn, world)
    await conn.execute(BIOGRAPHY, "simulate:outage")
    before = len(await conn.fetch(EVENTS))
    await advanced(alice, 48)
    [row] = await conn.fetch(FAILURES)
    assert row["failures"] >= 3
    assert "does not answer" in row["failure_reason"]
    refused = await alice.post(f"/accounts/{account}/analytics/refresh", {})
    assert (refused.status, refused.details["provider"]) == (502, "simulator")
    assert len(await conn.fetch(EVENTS)) == before
    await conn.execute(BIOGRAPHY, "")
    await advanced(alice, 48)
    assert len(await conn.fetch(EVENTS)) > before
