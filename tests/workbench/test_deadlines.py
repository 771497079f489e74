"""Deadlines: what falls due, on whose clock, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    claimed,
    events_of,
    posted,
    published,
    published_with_videos,
    sent_back,
    set_up,
    workable,
)
from tests.workbench.desk import Desk
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.locks import LOCK_BUNDLE
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.deadlines import Deadlines, Due, find_due, settle

Begin = Callable[[Client, Connection, World, Ports], Awaitable[str]]


async def sweep(conn: Connection, ports: Ports, at: datetime) -> list[str]:
    """Settle what is due at a moment in workspaces on real time; give the kinds that changed."""
    rules = OrderRules.of(ports.settings)
    found = await find_due(conn, at, None)
    return [due.kind for due in found if await settle(conn, due, at, rules)]


def later(hours: float) -> datetime:
    """Give the moment so many hours from now."""
    return real_now() + timedelta(hours=hours)


async def open_order(alice: Client, _: Connection, __: World, ___: Ports) -> str:
    """An order that waits for a manager."""
    return await published(alice, videos=0)


async def claimed_order(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """An order whose account Mona has to set up."""
    bundle_id = await published(alice, videos=0)
    await claimed(conn, world, ports, bundle_id)
    return bundle_id


async def profile_in_review(alice: Client, conn: Connection, world: World, ports: Ports) -> str:
    """An order whose account waits for its customer."""
    bundle_id = await claimed_order(alice, conn, world, ports)
    await set_up(conn, world, ports, bundle_id)
    return bundle_id


async def profile_in_corrections(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> str:
    """An order whose account Mona has to correct."""
    bundle_id = await profile_in_review(alice, conn, world, ports)
    await alice.post(f"/bundles/{bundle_id}/account/corrections", {"comment": "No."})
    return bundle_id


@pytest.mark.parametrize(
    ("begin", "hours", "kind", "status", "event"),
    [
        (open_order, 24, "priority", "published_priority", None),
        (claimed_order, 72, "claim", "published", "bundle.released"),
        (profile_in_review, 72, "profile_review", "completed", "account.finalized"),
        (profile_in_corrections, 72, "claim", "published", "bundle.released"),
    ],
)
async def test_what_is_due_is_settled_once_and_not_an_hour_before(
    alice: Client,
    conn: Connection,
    world: World,
    ports: Ports,
    begin: Begin,
    hours: int,
    kind: str,
    status: str,
    event: str | None,
) -> None:
    bundle_id = await begin(alice, conn, world, ports)
    before = (await alice.get(f"/bundles/{bundle_id}")).data
    assert await sweep(conn, ports, later(hours - 1)) == []
    assert (await alice.get(f"/bundles/{bundle_id}")).data == before
    assert await sweep(conn, ports, later(hours)) == [kind]
    assert await sweep(conn, ports, later(hours)) == []
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == status
    told = [] if event is None else await events_of(conn, world, event)
    assert len(told) == (0 if event is None else 1)
    journal = await conn.fetchrow(
        "SELECT * FROM journal WHERE root_id = $1 AND kind IN ('bundle', 'profile')"
        " ORDER BY ordinal DESC LIMIT 1",
        UUID(bundle_id),
    )
    assert journal is not None
    assert journal["actor_kind"] == "system"


async def test_a_missed_claim_is_told_from_one_that_was_given_back(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await claimed_order(alice, conn, world, ports)
    await sweep(conn, ports, later(72))
    claim = await conn.fetchrow("SELECT status, reason FROM claims")
    assert claim is not None
    assert (claim["status"], claim["reason"]) == ("missed", "the claim's deadline passed")
    # It is offered with a new day until it gets priority.
    assert await sweep(conn, ports, later(72 + 23)) == []
    assert await sweep(conn, ports, later(72 + 24)) == ["priority"]
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "published_priority"


async def test_a_slot_in_review_is_finalized_after_72_hours_and_completes_the_order(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    assert await sweep(conn, ports, later(24 * 8 - 1)) == []
    assert await sweep(conn, ports, later(24 * 8)) == ["slot_review"]
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"
    reason = await conn.fetchval(
        "SELECT reason FROM journal WHERE to_status = 'finalized' AND kind = 'slot'"
    )
    assert reason == "review time passed"


async def test_an_unposted_slot_is_overdue_when_its_window_ends_and_given_back_two_days_later(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    last = await conn.fetchval("SELECT target_end FROM slots LIMIT 1")
    end = datetime.fromisoformat(f"{last}T00:00:00+00:00") + timedelta(days=1)
    assert await sweep(conn, ports, end - timedelta(seconds=1)) == []
    assert await sweep(conn, ports, end) == ["overdue", "overdue"]
    assert await sweep(conn, ports, end + timedelta(hours=1)) == []
    told = await events_of(conn, world, "video.overdue")
    assert [e["data"]["position"] for e in told] == [1, 2]
    assert {e["data"]["status"] for e in told} == {"accepted"}
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["overdue_at"][:10]) == ("accepted", end.date().isoformat())
    assert await sweep(conn, ports, end + timedelta(hours=47)) == []
    assert await sweep(conn, ports, end + timedelta(hours=48)) == ["claim"]
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert {slot["status"] for slot in slots} == {"published"}


async def test_slot_corrections_have_48_hours_and_a_takeover_is_not_late_at_once(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    await sent_back(conn, world, ports, bundle_id)
    # Nothing moves the deadline but the claim: reckoned anew by any step of the order.
    await mona.report(bundle_id)
    mona.hours = 24 * 6
    await mona.release(bundle_id)
    await mona.claim(bundle_id)
    assert await sweep(conn, ports, later(24 * 6 + 47)) == []
    assert await sweep(conn, ports, later(24 * 6 + 48)) == ["claim"]
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == (
        "pending_corrections"
    )


async def test_nothing_is_overdue_before_it_can_be_worked_on(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    await claimed(conn, world, ports, bundle_id)
    await set_up(conn, world, ports, bundle_id)
    found = {due.kind for due in await find_due(conn, later(24 * 30), None)}
    assert found == {"profile_review"}


async def test_each_workspace_is_judged_on_its_own_clock(
    alice: Client, charlie: Client, conn: Connection, database: Database, world: World, ports: Ports
) -> None:
    mine, theirs = await published(alice, videos=0), await published(charlie, videos=0)
    deadlines = Deadlines(database, OrderRules.of(ports.settings))
    assert await deadlines.run_once() == 0
    await conn.execute(
        "UPDATE workspaces SET rehearsal = true, clock_offset = '25 hours' WHERE id = $1",
        world.acme,
    )
    assert await deadlines.run_once() == 1
    assert (await alice.get(f"/bundles/{mine}")).data["status"] == "published_priority"
    assert (await charlie.get(f"/bundles/{theirs}")).data["status"] == "published"
    assert await find_due(conn, later(25), world.other) != []
    assert {d.workspace_id for d in await find_due(conn, later(25), None)} == {world.other}
    at = await conn.fetchval("SELECT at FROM journal WHERE to_status = 'published_priority'")
    assert timedelta(hours=24.9) < at - real_now() < timedelta(hours=25.1)


async def test_two_sweepers_at_once_settle_everything_once(
    alice: Client, conn: Connection, database: Database, world: World, ports: Ports
) -> None:
    for _ in range(6):
        await profile_in_review(alice, conn, world, ports)
    at = later(73)
    async with database.connection() as first, database.connection() as second:
        settled = await asyncio.gather(sweep(first, ports, at), sweep(second, ports, at))
    left = await sweep(conn, ports, at)
    assert len(settled[0]) + len(settled[1]) + len(left) == 6
    assert len(await events_of(conn, world, "bundle.completed")) == 6
    assert await sweep(conn, ports, at) == []


async def test_a_bundle_that_somebody_holds_is_left_alone_and_settled_later(
    alice: Client, conn: Connection, database: Database, world: World, ports: Ports
) -> None:
    held, free = await published(alice, videos=0), await published(alice, videos=0)
    async with database.connection() as other, other.transaction():
        await other.fetchrow(LOCK_BUNDLE, world.acme, UUID(held))
        assert await sweep(conn, ports, later(24)) == ["priority"]
        assert (await alice.get(f"/bundles/{free}")).data["status"] == "published_priority"
        assert (await alice.get(f"/bundles/{held}")).data["status"] == "published"
    assert await sweep(conn, ports, later(24)) == ["priority"]
    assert (await alice.get(f"/bundles/{held}")).data["status"] == "published_priority"


@pytest.mark.parametrize("kind", ["priority", "profile_review", "slot_review", "overdue", "claim"])
async def test_what_was_found_due_but_is_so_no_longer_changes_nothing(
    alice: Client, conn: Connection, world: World, ports: Ports, kind: str
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    due = Due(kind, world.acme, UUID(bundle_id), 1, real_now())  # type: ignore[arg-type]
    before = await conn.fetch("SELECT * FROM journal"), await conn.fetch("SELECT * FROM events")
    assert not await settle(conn, due, later(24 * 5), OrderRules.of(ports.settings))
    assert before == (
        await conn.fetch("SELECT * FROM journal"),
        await conn.fetch("SELECT * FROM events"),
    )
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/1")).data
    assert (slot["status"], slot["overdue_at"]) == ("accepted", None)
