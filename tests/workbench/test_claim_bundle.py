from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, published, published_with_videos, sent_back, workable
from tests.workbench.desk import Desk, hire
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.workbench.errors import NotClaimableError
from tokportal_server.workbench.operations.claim_bundle import claim_bundle

SWITCH = "INSERT INTO kill_switches (scope, subject_id, reason)"


async def due_after(conn: Connection) -> timedelta | None:
    """Give how long the live claim has from its beginning to its deadline."""
    row = await conn.fetchrow("SELECT claimed_at, due_at FROM claims WHERE status = 'live'")
    assert row is not None
    return None if row["due_at"] is None else row["due_at"] - row["claimed_at"]


async def test_a_claim_accepts_the_bundle_and_its_published_slots(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)
    await conn.execute("UPDATE slots SET status = 'configured' WHERE position = 2")
    await mona.claim(bundle_id)
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["status"], bundle["accepted_at"] is None) == ("accepted", False)
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [slot["status"] for slot in slots] == ["accepted", "configured"]
    assert await due_after(conn) == timedelta(hours=72)
    assert await conn.fetchval("SELECT workable_at FROM slots WHERE position = 1") is None
    [event] = await events_of(conn, world, "bundle.accepted")
    assert event["data"]["previous_status"] == "published"


async def test_of_two_managers_at_once_one_gets_it_and_the_other_is_told(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, database: Database
) -> None:
    bundle_id = await published(alice, videos=0)
    async with database.connection() as other:
        nora.conn = other
        results = await asyncio.gather(
            mona.claim(bundle_id), nora.claim(bundle_id), return_exceptions=True
        )
    [refusal] = [r for r in results if r is not None]
    assert isinstance(refusal, NotClaimableError)
    assert "somebody else was faster" in refusal.message
    assert await conn.fetchval("SELECT count(*) FROM claims") == 1


async def test_the_holder_cannot_claim_twice_nor_anybody_a_bundle_that_is_not_offered(
    alice: Client, mona: Desk, conn: Connection
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    with pytest.raises(NotClaimableError, match="faster"):
        await mona.claim(bundle_id)
    for status in ("pending_setup", "completed", "cancelled", "archived"):
        await conn.execute("UPDATE bundles SET status = $1", status)
        with pytest.raises(NotClaimableError, match=status):
            await mona.claim(bundle_id)
    with pytest.raises(BundleNotFoundError):
        await mona.claim(str(uuid4()))


async def test_a_bundle_with_priority_can_be_claimed(
    alice: Client, mona: Desk, conn: Connection
) -> None:
    bundle_id = await published(alice, videos=0)
    await conn.execute("UPDATE bundles SET status = 'published_priority'")
    await mona.claim(bundle_id)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE managers SET countries = '{FR}'", "USA is not one of your countries"),
        ("UPDATE managers SET platforms = '{instagram}'", "tiktok is not one of your platforms"),
        ("UPDATE managers SET active = false", "your account is not active"),
        (
            f"{SWITCH} VALUES ('all', gen_random_uuid(), 'Storm')",
            "work is paused: Storm",
        ),
        (
            f"{SWITCH} SELECT 'workspace', workspace_id, 'Unpaid' FROM bundles",
            "work is paused: Unpaid",
        ),
    ],
)
async def test_a_manager_is_told_why_a_bundle_is_not_for_them(
    alice: Client, mona: Desk, conn: Connection, change: str, reason: str
) -> None:
    bundle_id = await published(alice, videos=0)
    await conn.execute(change)
    with pytest.raises(NotClaimableError) as refused:
        await mona.claim(bundle_id)
    assert refused.value.details == {"reason": reason}
    assert await conn.fetchval("SELECT count(*) FROM claims") == 0
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "published"


async def test_a_switch_for_another_workspace_or_account_stops_nobody_here(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=0)
    await conn.execute(
        f"{SWITCH} VALUES ('workspace', $1, 'x'), ('account', gen_random_uuid(), 'y')",
        world.other,
    )
    await mona.claim(bundle_id)
    assert await conn.fetchval("SELECT count(*) FROM claims") == 1


async def test_a_simulated_manager_never_gets_a_real_order(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=0)
    mona.actor = await hire(conn, rehearsal=world.other)
    with pytest.raises(NotClaimableError, match="rehearsal"):
        await mona.claim(bundle_id)


async def test_a_person_never_gets_an_order_of_a_rehearsal(
    alice: Client, mona: Desk, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=0)
    await conn.execute("UPDATE workspaces SET rehearsal = true WHERE id = $1", world.acme)
    with pytest.raises(NotClaimableError, match="rehearsal"):
        await mona.claim(bundle_id)
    mona.actor = await hire(conn, rehearsal=world.acme)
    await mona.claim(bundle_id)
    assert await conn.fetchval("SELECT manager_id FROM claims") == mona.actor.id


async def videos_only(
    alice: Client, conn: Connection, world: World, ports: Ports, mona: Desk
) -> str:
    """Have Mona deliver an account, then publish a videos_only order for it; give its id."""
    first = await workable(alice, conn, world, ports, videos=1)
    account_id = (await alice.get(f"/bundles/{first}")).data["saved_account_id"]
    made = await alice.post(
        "/bundles", {"bundle_type": "videos_only", "account_id": account_id, "videos_quantity": 1}
    )
    bundle_id = str(made.data["id"])
    body = {
        "video_type": "video",
        "description": "x",
        "target_publish_date": (real_now() + timedelta(days=4)).date().isoformat(),
        "video_url": await conn.fetchval("SELECT storage_key FROM uploads LIMIT 1"),
    }
    assert (await alice.put(f"/bundles/{bundle_id}/videos/1", body)).status == 200
    assert (await alice.post(f"/bundles/{bundle_id}/publish")).status == 200
    assert mona.actor.id == world.mona
    return bundle_id


async def test_a_videos_only_order_is_its_accounts_managers_for_a_day_and_then_anybodys(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await videos_only(alice, conn, world, ports, mona)
    nora.hours = 23.9
    with pytest.raises(NotClaimableError, match="offered to the account's manager first"):
        await nora.claim(bundle_id)
    nora.hours = 24.1
    await nora.claim(bundle_id)
    claim = "SELECT manager_id FROM claims WHERE bundle_id = $1"
    assert await conn.fetchval(claim, UUID(bundle_id)) == nora.actor.id
    assert await conn.fetchval("SELECT manager_id FROM saved_accounts") == nora.actor.id
    workable_at = "SELECT workable_at FROM slots WHERE bundle_id = $1"
    assert await conn.fetchval(workable_at, UUID(bundle_id)) is not None


async def test_a_videos_only_order_is_anybodys_at_once_if_the_account_has_no_manager(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await videos_only(alice, conn, world, ports, mona)
    await conn.execute("UPDATE saved_accounts SET manager_id = NULL")
    await nora.claim(bundle_id)
    assert await conn.fetchval("SELECT manager_id FROM saved_accounts") == nora.actor.id


async def test_the_accounts_manager_may_claim_a_videos_only_order_at_once(
    alice: Client, mona: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await videos_only(alice, conn, world, ports, mona)
    await mona.claim(bundle_id)
    # Its slot is workable at once: the account is there. The deadline is that of its window.
    due = await conn.fetchval("SELECT due_at FROM claims WHERE bundle_id = $1", UUID(bundle_id))
    assert due.date() == (real_now() + timedelta(days=8)).date()
    assert (due.hour, due.minute) == (0, 0)


async def test_a_slot_that_comes_too_late_for_its_window_gets_the_first_free_day(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=3)
    await mona.release(bundle_id)
    await conn.execute("UPDATE slots SET overdue_at = now() WHERE position = 1")
    nora.hours = 24 * 9
    await nora.claim(bundle_id)
    day = (real_now() + timedelta(days=9)).date()
    slots = await conn.fetch("SELECT * FROM slots ORDER BY position")
    assert [slot["target_start"] for slot in slots] == [day, day, day]
    assert {slot["date_adjusted"] for slot in slots} == {True}
    assert {slot["overdue_at"] for slot in slots} == {None}
    told = await events_of(conn, world, "video.rescheduled")
    assert [e["data"]["position"] for e in told] == [1, 2, 3]
    assert {e["data"]["new_date"] for e in told} == {day.isoformat()}


async def test_whoever_takes_over_corrections_gets_the_whole_time_for_them(
    alice: Client, mona: Desk, nora: Desk, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    mona.hours = 24 * 5
    await mona.post(bundle_id)
    await sent_back(conn, world, ports, bundle_id)
    await mona.release(bundle_id)
    nora.hours = 24 * 30
    await nora.claim(bundle_id)
    assert await due_after(conn) == timedelta(hours=48)


async def test_an_order_that_was_finalized_while_nobody_held_it_is_completed_by_its_claim(
    alice: Client, mona: Desk, nora: Desk, conn: Connection
) -> None:
    bundle_id = await published(alice, videos=0)
    await mona.claim(bundle_id)
    await mona.set_up(bundle_id)
    await mona.release(bundle_id)
    await alice.post(f"/bundles/{bundle_id}/account/finalize")
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "published"
    await nora.claim(bundle_id)
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "completed"
    assert await conn.fetchval("SELECT count(*) FROM claims WHERE status = 'live'") == 0


async def test_the_same_manager_may_work_for_several_workspaces(
    alice: Client, charlie: Client, mona: Desk, conn: Connection, world: World
) -> None:
    await mona.claim(await published(alice, videos=0))
    theirs = await published(charlie, videos=0)
    with pytest.raises(BundleNotFoundError):
        await mona.claim(theirs)
    async with unit_of_work(conn, world.other, now=real_now()) as tx:
        await claim_bundle(
            tx=tx, actor=Actor("manager", world.mona), bundle_id=UUID(theirs), rules=mona.rules
        )
    assert await conn.fetchval("SELECT count(*) FROM claims WHERE status = 'live'") == 2
