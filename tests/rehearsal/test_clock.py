"""Moving the clock of a rehearsal."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import msgspec

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, order, published, published_with_videos
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.doctor import examine

Answer = tuple[int, dict[str, Any]]


async def ask(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Call ``/api/rehearsal`` + path; give status and JSON."""
    sent = {"X-API-Key": client.key or "", **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, f"{client.address}/api/rehearsal{path}", json=body, headers=sent
        ) as reply,
    ):
        return reply.status, msgspec.json.decode(await reply.read())


async def advance(client: Client, hours: float, **headers: str) -> Any:
    """Move the clock on; give the answer's data."""
    status, answer = await ask(client, "POST", "/clock/advance", {"hours": hours}, **headers)
    assert status == 200, answer
    return answer["data"]


def moment(text: str) -> datetime:
    """Read an instant of the wire."""
    return datetime.fromisoformat(text)


async def test_the_clock_is_read_moved_and_seen_by_the_api(alice: Client) -> None:
    status, answer = await ask(alice, "GET", "/clock")
    assert (status, answer["data"]["virtual"]) == (200, True)
    before = moment(answer["data"]["now"])
    moved = await advance(alice, 72)
    gained = moment(moved["now"]) - before
    assert timedelta(hours=72) <= gained < timedelta(hours=72, minutes=5)
    assert (moved["virtual"], moved["happened"]) == (True, 0)
    me = (await alice.get("/me")).data
    assert me["clock"]["virtual"] is True
    assert moment(me["clock"]["now"]) >= moment(moved["now"])
    made = (await alice.post("/bundles", order())).data
    assert moment(made["created_at"]) >= moment(moved["now"])


async def test_the_clock_only_grows_and_moves_at_the_same_time_add_up(
    alice: Client, conn: Connection, world: World
) -> None:
    offset = "SELECT clock_offset FROM workspaces WHERE id = $1"
    seen = [await conn.fetchval(offset, world.acme)]
    for hours in (0.5, 1, 0.001):
        await advance(alice, hours)
        seen.append(await conn.fetchval(offset, world.acme))
    assert seen == sorted(seen)
    began = real_now() + seen[-1]
    moved = await asyncio.gather(advance(alice, 10), advance(alice, 20), advance(alice, 1))
    there = real_now() + await conn.fetchval(offset, world.acme)
    assert timedelta(0) <= there - (began + timedelta(hours=31)) < timedelta(minutes=5)
    # The wire gives milliseconds, rounded down.
    assert there >= max(moment(m["now"]) for m in moved)


async def test_only_a_rehearsal_has_a_clock_to_move(charlie: Client) -> None:
    for call in (("GET", "/clock", None), ("POST", "/clock/advance", {"hours": 1})):
        status, answer = await ask(charlie, *call)
        assert (status, answer["error"]["code"]) == (403, "NOT_A_REHEARSAL")
    dry = await ask(charlie, "POST", "/clock/advance", {"hours": 1}, X_TokPortal_Dry_Run="true")
    assert (dry[0], dry[1]["error"]["code"]) == (403, "NOT_A_REHEARSAL")


async def test_hours_are_more_than_none_and_at_most_a_year(alice: Client) -> None:
    for hours in (0, -1, 8760.1, "72", None, True):
        status, answer = await ask(alice, "POST", "/clock/advance", {"hours": hours})
        assert (status, answer["error"]["code"]) == (400, "VALIDATION_ERROR"), hours
        assert answer["error"]["details"]["errors"][0]["field"] == "hours"
    status, answer = await ask(alice, "POST", "/clock/advance", {"hours": 1, "days": 2})
    assert (status, answer["error"]["code"]) == (400, "UNKNOWN_FIELD")
    await advance(alice, 8760)


async def test_moving_the_clock_needs_a_key_that_may_write(bob: Client, nobody: Client) -> None:
    refused = [await ask(who, "POST", "/clock/advance", {"hours": 1}) for who in (bob, nobody)]
    assert [(status, answer["error"]["code"]) for status, answer in refused] == [
        (403, "AUTH_INSUFFICIENT_SCOPE"),
        (401, "AUTH_MISSING_KEY"),
    ]
    assert (await ask(bob, "GET", "/clock"))[0] == 200


async def test_a_dry_run_moves_nothing(alice: Client, conn: Connection) -> None:
    await published(alice, videos=0)
    status, answer = await ask(
        alice, "POST", "/clock/advance", {"hours": 48}, X_TokPortal_Dry_Run="true"
    )
    assert (status, answer["dry_run"]) == (200, True)
    assert moment(answer["data"]["now"]) > real_now() + timedelta(hours=47)
    assert await conn.fetchval("SELECT max(clock_offset) FROM workspaces") == timedelta(0)
    assert await conn.fetchval("SELECT count(*) FROM claims") == 0


async def test_the_same_idempotency_key_moves_the_clock_once(
    alice: Client, conn: Connection
) -> None:
    first = await advance(alice, 24, Idempotency_Key="on")
    second = await advance(alice, 24, Idempotency_Key="on")
    assert second == first
    offset = await conn.fetchval("SELECT max(clock_offset) FROM workspaces")
    assert offset < timedelta(hours=25)
    status, answer = await ask(alice, "POST", "/clock/advance", {"hours": 25}, Idempotency_Key="on")
    assert (status, answer["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def cut_short(conn: Connection, world: World, key: str, *, lapsed: bool) -> datetime:
    """Leave the traces of a call whose process ended on the way, at half of 240 hours."""
    target = real_now() + timedelta(hours=240)
    await conn.execute("UPDATE workspaces SET clock_offset = '120 hours' WHERE id = $1", world.acme)
    await conn.execute(
        "INSERT INTO clock_advances VALUES ($1, $2, '240 hours', $3, now() + $4)",
        world.acme,
        key,
        target,
        timedelta(seconds=0 if lapsed else 30),
    )
    return target


async def test_a_call_that_was_cut_short_goes_on_to_its_own_target(
    alice: Client, conn: Connection, world: World
) -> None:
    target = await cut_short(conn, world, "once", lapsed=True)
    moved = await advance(alice, 240, Idempotency_Key="once")
    assert abs(moment(moved["now"]) - target) < timedelta(minutes=5)
    assert await advance(alice, 240, Idempotency_Key="once") == moved


async def test_another_key_begins_at_the_clock_as_it_is(
    alice: Client, conn: Connection, world: World
) -> None:
    await cut_short(conn, world, "once", lapsed=True)
    moved = await advance(alice, 1, Idempotency_Key="other")
    gained = moment(moved["now"]) - real_now()
    assert timedelta(hours=120) < gained < timedelta(hours=121, minutes=5)


async def test_while_somebody_else_moves_the_clock_for_long_it_is_refused(
    alice: Client, conn: Connection, world: World
) -> None:
    await cut_short(conn, world, "once", lapsed=False)
    reply = await alice.call("POST", "/clock/advance", json={"hours": 1}, base="/api/rehearsal")
    assert (reply.status, reply.code) == (409, "CLOCK_MOVING")
    offset = await conn.fetchval("SELECT max(clock_offset) FROM workspaces")
    assert offset == timedelta(hours=120)


async def test_a_move_that_ended_is_forgotten_after_a_day(
    alice: Client, conn: Connection, world: World
) -> None:
    await cut_short(conn, world, "old", lapsed=True)
    await conn.execute("UPDATE clock_advances SET began_at = now() - interval '25 hours'")
    moved = await advance(alice, 240, Idempotency_Key="old")
    assert moment(moved["now"]) > real_now() + timedelta(hours=359)
    assert await conn.fetchval("SELECT count(*) FROM clock_advances") == 1


async def journal_of(conn: Connection, world: World, kind: str) -> dict[str, datetime]:
    """Give when the things of one kind came into each status."""
    rows = await conn.fetch(
        "SELECT to_status, at FROM journal WHERE workspace_id = $1 AND kind = $2", world.acme, kind
    )
    return {row["to_status"]: row["at"] for row in rows}


async def test_thirty_days_in_one_call_are_the_whole_life_of_an_order_at_the_right_times(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(
        alice, conn, world, videos=1, days=6, auto_finalize_videos=False
    )
    window = await conn.fetchval("SELECT target_start FROM slots")
    began = real_now()
    answer = await advance(alice, 30 * 24)
    # claim, set-up, review, post, review
    assert answer["happened"] == 5
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"

    profile, slot = [await journal_of(conn, world, kind) for kind in ("profile", "slot")]
    bundle = await journal_of(conn, world, "bundle")
    assert timedelta(0) <= profile["in_review"] - began < timedelta(minutes=5)
    assert profile["finalized"] - profile["in_review"] == timedelta(hours=72)
    opens = datetime.fromisoformat(f"{window}T00:00:00+00:00")
    assert slot["in_review"] == opens
    assert slot["finalized"] == opens + timedelta(hours=72)
    assert bundle["completed"] == slot["finalized"]

    events = await conn.fetch(
        "SELECT type, created_at FROM events WHERE workspace_id = $1 ORDER BY sequence", world.acme
    )
    times = [event["created_at"] for event in events]
    assert times == sorted(times)
    assert {e["type"]: e["created_at"] for e in events}["bundle.completed"] == bundle["completed"]
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_many_small_steps_tell_the_same_story_as_one_great_one(
    alice: Client, conn: Connection, world: World
) -> None:
    await published_with_videos(alice, conn, world, videos=3, days=6)
    for _ in range(24):
        await advance(alice, 9.5)
    types = [row["type"] for row in await events_of_all(conn, world)]
    small = types[types.index("bundle.accepted") :]
    await conn.execute("UPDATE workspaces SET clock_offset = '0' WHERE id = $1", world.acme)
    await published_with_videos(alice, conn, world, videos=3, days=6)
    await advance(alice, 24 * 9.5)
    types = [row["type"] for row in await events_of_all(conn, world)][len(types) :]
    assert types[types.index("bundle.accepted") :] == small
    assert small[-1] == "bundle.completed"


async def events_of_all(conn: Connection, world: World) -> list[Any]:
    """Give every event of Alice's workspace, in order.

    But for the numbers: when they are collected hangs on the ids of the accounts.
    """
    names = await conn.fetch("SELECT DISTINCT type FROM events WHERE type <> 'analytics.refreshed'")
    return await events_of(conn, world, *(row["type"] for row in names))


async def test_a_missed_order_goes_round_and_is_done_in_the_end(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1, days=6)
    await advance(alice, 1)
    # Nobody posts it: the media cannot be used, and the customer does not look.
    await conn.execute(
        "UPDATE slots SET download_issue = $1", {"reported_at": "2026-01-01", "reason": "404"}
    )
    await advance(alice, 24 * 10)
    assert len(await events_of(conn, world, "video.overdue")) == 1
    assert len(await events_of(conn, world, "bundle.released")) == 1
    await conn.execute("UPDATE slots SET download_issue = NULL")
    await advance(alice, 24 * 3)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"
