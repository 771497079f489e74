"""Refreshes by the schedule: when they are due, what failures do to them, and who is left out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.analytics.collecting import an_account
from tests.analytics.providers.conftest import Connect
from tests.analytics.providers.platforms import (
    FakeInstagram,
    FakeTikTok,
    instagram_media,
    tiktok_error,
    times,
)
from tests.cast import World
from tests.client import Client
from tokportal_server.analytics import schedule
from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.analytics.refreshing import RefreshRules
from tokportal_server.analytics.schedule import Refresher, ScheduledRefreshes
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, ServiceUnavailableError, existing
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.locks import Row

STATE = "SELECT * FROM analytics_refreshes WHERE saved_account_id = $1"
MAKE_DUE = "UPDATE analytics_refreshes SET due_at = now()"
FOLLOWERS = "SELECT followers FROM account_latest WHERE saved_account_id = $1"
EVENTS = "SELECT count(*) FROM events WHERE type = 'analytics.refreshed'"
PLAN = "UPDATE workspaces SET plan = 'full' WHERE id = $1"
DUE_AT = "SELECT due_at FROM analytics_refreshes WHERE saved_account_id = $1"
HOUR = timedelta(hours=1)


async def state_of(conn: Connection, account: UUID) -> Row:
    return existing(await conn.fetchrow(STATE, account))


async def run(ports: Ports) -> int:
    """Let the worker's loop look once; a new one doesn't wait before it looks."""
    return await ScheduledRefreshes(ports).run_once()


async def test_collects_what_is_due_and_makes_it_due_again_in_about_a_day(
    conn: Connection, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    before = real_now()
    assert await run(ports) == 1
    assert await conn.fetchval(FOLLOWERS, account) == 1200
    assert await conn.fetchval(EVENTS) == 1
    state = await state_of(conn, account)
    assert (state["failures"], state["lease_token"], state["asked_at"]) == (0, None, None)
    pause = state["due_at"] - before
    assert 21 * HOUR < pause < 27 * HOUR
    tiktok.calls.clear()
    assert await run(ports) == 0
    assert tiktok.calls == []


async def test_a_scheduled_refresh_takes_no_cooldown_and_no_quota(
    alice: Client, ports: Ports, connect: Connect
) -> None:
    account = await connect()
    await run(ports)
    reply = await alice.post(f"/accounts/{account}/analytics/refresh", {})
    assert (reply.status, reply.data["quota"]["used"]) == (200, 1)


async def test_accounts_connected_together_do_not_stay_together(settings: Settings) -> None:
    rules = RefreshRules.of(settings)
    now = real_now()
    dues = {rules.due_after(now, UUID(int=number)) for number in range(50)}
    assert len(dues) > 30
    assert all(abs(due - now - 24 * HOUR) <= 2.4 * HOUR for due in dues)


async def test_a_failure_is_tried_again_later_each_time_up_to_the_target_age(
    conn: Connection, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    tiktok.faults.append(times(99, lambda: tiktok_error("internal_error", "", 500)))
    refresher = Refresher(
        ports.database.connection,
        Providers.of(ports, pauses=()),
        RefreshRules.of(ports.settings),
    )
    pauses = []
    for _ in range(9):
        await conn.execute(MAKE_DUE)
        before = real_now()
        assert not await refresher.refresh((await state_of(conn, account))[0], account, before)
        pauses.append(round(((await state_of(conn, account))["due_at"] - before) / HOUR, 2))
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 16, 24, 24]
    state = await state_of(conn, account)
    assert (state["failures"], state["failure_reason"]) == (9, "the platform's API answered 500")
    assert await conn.fetchval(EVENTS) == 0
    tiktok.faults.clear()
    await conn.execute(MAKE_DUE)
    assert await run(ports) == 1
    state = await state_of(conn, account)
    assert (state["failures"], state["failure_reason"]) == (0, None)


async def test_what_trying_again_cannot_mend_is_not_tried_soon(
    conn: Connection, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    tiktok.faults.append(times(9, lambda: tiktok_error("scope_not_authorized", "No.", 401)))
    before = real_now()
    assert await run(ports) == 1
    assert (await state_of(conn, account))["due_at"] > before + 23 * HOUR


async def test_leaves_out_who_is_banned_broken_or_not_connected(
    conn: Connection, world: World, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    await an_account(conn, world.acme, username="acme.unconnected")
    banned, broken = await connect(username="acme.banned"), await connect(username="acme.broken")
    await conn.execute("UPDATE saved_accounts SET status = 'banned' WHERE id = $1", banned)
    gone = "UPDATE analytics_connections SET broken_reason = 'gone' WHERE saved_account_id = $1"
    await conn.execute(gone, broken)
    assert await run(ports) == 0
    assert tiktok.calls == []


async def test_one_account_that_fails_does_not_hold_up_the_others(
    conn: Connection, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    tiktok.refresh_tokens.clear()
    bad = await connect(username="acme.bad", token="act.withdrawn")
    good = [await connect(username=f"acme.{number}") for number in range(3)]
    assert await run(ports) == 4
    assert [await conn.fetchval(FOLLOWERS, one) for one in good] == [1200] * 3
    assert await conn.fetchval(FOLLOWERS, bad) is None
    assert (await state_of(conn, bad))["failures"] == 1


async def test_a_database_that_goes_away_meanwhile_is_no_failure_of_the_account(
    conn: Connection, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    before = await state_of(conn, account)

    @asynccontextmanager
    async def connection() -> AsyncIterator[Connection]:
        if tiktok.calls:
            raise ServiceUnavailableError("The database is away.")
        async with ports.database.connection() as given:
            yield given

    refresher = Refresher(connection, Providers.of(ports), RefreshRules.of(ports.settings))
    with capture_logs() as logs, pytest.raises(ServiceUnavailableError):
        await refresher.refresh((await state_of(conn, account))[0], account, real_now())
    assert [line for line in logs if line["log_level"] == "error"] == []
    state = await state_of(conn, account)
    assert (state["failures"], state["due_at"]) == (0, before["due_at"])
    # Nobody takes it up before the lease is over.
    assert await run(ports) == 0
    await conn.execute("UPDATE analytics_refreshes SET lease_until = now()")
    tiktok.calls.clear()
    assert await run(ports) == 1
    assert await conn.fetchval(FOLLOWERS, account) == 1200


async def test_collects_comments_where_the_plan_has_them(
    conn: Connection, world: World, ports: Ports, connect: Connect, instagram: FakeInstagram
) -> None:
    account = await connect("instagram")
    instagram.media = [instagram_media(1)]
    await run(ports)
    comments = ("GET", f"/v23.0/{instagram.media[0]['id']}/comments")
    assert comments not in instagram.calls
    track = """
    INSERT INTO tracked_posts (workspace_id, saved_account_id, post_key, platform_url, imported,
                               tracked_at) VALUES ($1, $2, $3, $4, false, now())
    """
    shortcode, url = instagram.media[0]["shortcode"], instagram.media[0]["permalink"]
    await conn.execute(track, world.acme, account, shortcode, url)
    await conn.execute(PLAN, world.acme)
    await conn.execute(MAKE_DUE)
    await run(ports)
    assert comments in instagram.calls


async def test_the_operator_can_turn_it_off(
    settings: Settings, connect: Connect, tiktok: FakeTikTok
) -> None:
    await connect()
    off = msgspec.structs.replace(settings, analytics_refresh_hours=0)
    async with open_ports(off) as ports:
        assert await run(ports) == 0
    assert tiktok.calls == []


async def test_reads_young_posts_each_time_and_the_others_in_turn(
    conn: Connection, world: World, ports: Ports, connect: Connect, tiktok: FakeTikTok
) -> None:
    account = await connect()
    plant = """
    INSERT INTO tracked_posts (workspace_id, saved_account_id, post_key, platform_post_id,
                               platform_url, imported, tracked_at, published_at, read_at)
    SELECT $1, $2, n, n, 'https://www.tiktok.com/@acme/video/' || n, true, now() - $4::interval,
           now() - $4::interval, now() - make_interval(hours => 2 + i::integer)
      FROM unnest($3::text[]) WITH ORDINALITY AS u(n, i)
    """
    young = [str(7_100_000_000_000_000_000 + n) for n in range(30)]
    old = [str(7_200_000_000_000_000_000 + n) for n in range(300)]
    await conn.execute(plant, world.acme, account, young, timedelta(days=3))
    await conn.execute(plant, world.acme, account, old, timedelta(days=90))
    await run(ports)
    asked = [i for body in tiktok.bodies for i in body["filters"]["video_ids"]]
    # Those that were read longest ago, of both.
    assert set(asked) == {*young, *old[-170:]}
    assert len(asked) == 200


@pytest.mark.hazard(8)
async def test_a_scheduler_that_looked_before_another_one_refreshed_takes_the_slot_no_more(
    conn: Connection, world: World, ports: Ports, connect: Connect
) -> None:
    account = await connect()
    refresher = Refresher(
        ports.database.connection, Providers.of(ports, pauses=()), RefreshRules.of(ports.settings)
    )
    seen_due_at = real_now()
    assert await refresher.refresh(world.acme, account, seen_due_at)
    assert not await refresher.refresh(world.acme, account, seen_due_at)
    assert await conn.fetchval(EVENTS) == 1


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is summer time until the end of October."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class TwoSchedulers:
    """The loops of two workers, which look at the same instant of a clock that the test sets."""

    def __init__(self, ports: Ports, others: Ports, patch: pytest.MonkeyPatch) -> None:
        self._ports = (ports, others)
        self._patch = patch

    async def look(self, at: datetime) -> None:
        """Let both look; a new loop doesn't wait before it looks."""
        self._patch.setattr(schedule, "real_now", lambda: at)
        await asyncio.gather(*(ScheduledRefreshes(ports).run_once() for ports in self._ports))


@pytest.mark.hazard(8)
async def test_two_schedulers_take_each_slot_once_though_the_clock_steps_back(
    conn: Connection,
    ports: Ports,
    settings: Settings,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = await connect()
    async with open_ports(settings) as others:
        both = TwoSchedulers(ports, others, monkeypatch)
        await both.look(datetime(2027, 1, 10, 12, tzinfo=UTC))
        for taken in range(1, 6):
            assert await conn.fetchval(EVENTS) == taken
            due = (await state_of(conn, account))["due_at"]
            # Up to the slot, 90 seconds back, into it, and back again to before it.
            for seconds in (-1, -91, 0, -90, -1, 0, 1, -89, 60):
                await both.look(due + timedelta(seconds=seconds))
    assert await conn.fetchval(EVENTS) == 6


@pytest.mark.hazard(8)
@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    "changes",
    [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)],
    ids=["spring", "autumn"],
)
async def test_two_schedulers_take_each_slot_once_over_the_change_of_local_time(
    conn: Connection,
    settings: Settings,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    changes: datetime,
) -> None:
    account = await connect()
    hourly = msgspec.structs.replace(settings, analytics_refresh_hours=1)
    async with open_ports(hourly) as one, open_ports(hourly) as other:
        both = TwoSchedulers(one, other, monkeypatch)
        expected = 0
        for minutes in range(-180, 181, 10):
            at = changes + timedelta(minutes=minutes)
            due = await conn.fetchval(DUE_AT, account)
            expected += due is None or due <= at
            await both.look(at)
            assert await conn.fetchval(EVENTS) == expected, at.isoformat()
    # Six hours by the hour, whatever they were called on the wall.
    assert 5 <= expected <= 8
