from __future__ import annotations

from uuid import uuid4

from tests.cast import World
from tests.client import Client
from tests.orders.walk import POST, events_of, ordered, posted, workable
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.doctor import examine


async def test_the_last_slot_that_is_finalized_completes_the_bundle(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id, 1)
    await posted(conn, world, ports, bundle_id, 2)
    first = await alice.post(f"/bundles/{bundle_id}/videos/1/finalize")
    assert (first.status, first.data["status"]) == (200, "finalized")
    assert first.data["finalized_at"] is not None
    assert first.data["review_deadline_at"] is None
    assert first.data["platform_url"] == POST
    assert (await alice.get(f"/bundles/{bundle_id}")).data["status"] == "accepted"
    await alice.post(f"/bundles/{bundle_id}/videos/2/finalize")
    bundle = (await alice.get(f"/bundles/{bundle_id}")).data
    assert (bundle["status"], bundle["videos_status_counts"]) == ("completed", {"finalized": 2})
    told = await events_of(conn, world, "video.finalized", "bundle.completed")
    assert [e["type"] for e in told] == ["video.finalized", "video.finalized", "bundle.completed"]
    assert await conn.fetchval("SELECT status FROM claims") == "completed"
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_only_a_slot_in_review_can_be_finalized(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=1)
    for status in (
        "pending",
        "configured",
        "published",
        "accepted",
        "pending_corrections",
        "finalized",
        "cancelled",
    ):
        await conn.execute("UPDATE slots SET status = $1", status)
        reply = await alice.post(f"/bundles/{bundle_id}/videos/1/finalize")
        assert (reply.status, reply.code) == (409, "INVALID_STATUS_TRANSITION"), status
        assert reply.details == {"current_status": status, "allowed_from": ["in_review"]}


async def test_refuses_whoever_may_not_and_what_is_not_there(
    alice: Client, bob: Client, charlie: Client, nobody: Client
) -> None:
    bundle_id = await ordered(alice, videos=1)
    path = f"/bundles/{bundle_id}/videos/1/finalize"
    told = [
        await nobody.post(path),
        await bob.post(path),
        await charlie.post(path),
        await alice.post(f"/bundles/{bundle_id}/videos/2/finalize"),
        await alice.post(f"/bundles/{uuid4()}/videos/1/finalize"),
        await alice.post("/bundles/x/videos/1/finalize"),
    ]
    assert [reply.code for reply in told] == [
        "AUTH_MISSING_KEY",
        "AUTH_INSUFFICIENT_SCOPE",
        "BUNDLE_NOT_FOUND",
        "VIDEO_NOT_FOUND",
        "BUNDLE_NOT_FOUND",
        "BUNDLE_NOT_FOUND",
    ]


async def test_a_dry_run_finalizes_nothing_and_a_replay_finalizes_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    await posted(conn, world, ports, bundle_id)
    path = f"/bundles/{bundle_id}/videos/1/finalize"
    dry = await alice.post(path, headers={"X-TokPortal-Dry-Run": "1"})
    assert dry.data["status"] == "finalized"
    assert (await alice.get(f"/bundles/{bundle_id}/videos/1")).data["status"] == "in_review"
    first = await alice.post(path, headers={"Idempotency-Key": "f"})
    second = await alice.post(path, headers={"Idempotency-Key": "f"})
    assert (first.status, second.body) == (200, first.body)
    assert len(await events_of(conn, world, "video.finalized", "bundle.completed")) == 2
