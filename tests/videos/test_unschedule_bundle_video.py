"""Taking a published slot back before a manager accepts it."""

from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.orders.walk import events_of, ordered, published_with_videos
from tests.videos.steps import videos_only
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def test_a_published_slot_becomes_configured_and_keeps_what_it_holds(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=2)
    path = f"/bundles/{bundle_id}/videos/1"
    before = (await alice.get(path)).data
    reply = await alice.post(f"{path}/unschedule")
    assert (reply.status, reply.data["status"]) == (200, "configured")
    changed = {k for k, v in reply.data.items() if v != before[k]}
    assert changed == {"status", "published_at", "updated_at"}
    [event] = await events_of(conn, world, "video.unscheduled")
    assert (event["data"]["previous_status"], event["data"]["video_id"]) == (
        "published",
        before["id"],
    )
    back = await alice.post(f"{path}/publish")
    assert (back.data["status"], back.data["media_status"]) == ("published", "ready")


async def test_the_last_published_slot_of_an_unclaimed_videos_only_bundle_stays(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await videos_only(alice, conn, world, ports, videos=2)
    assert (await alice.post(f"/bundles/{bundle_id}/videos/2/unschedule")).status == 200
    last = await alice.post(f"/bundles/{bundle_id}/videos/1/unschedule")
    assert (last.status, last.code) == (409, "NO_VIDEOS_CONFIGURED")
    # A bundle that sets up an account has something to offer without videos.
    other = await published_with_videos(alice, conn, world, videos=1)
    assert (await alice.post(f"/bundles/{other}/videos/1/unschedule")).status == 200


async def test_only_a_published_slot_can_be_unscheduled(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=1)
    for status in ("pending", "configured", "accepted", "in_review", "finalized", "cancelled"):
        await conn.execute("UPDATE slots SET status = $1", status)
        reply = await alice.post(f"/bundles/{bundle_id}/videos/1/unschedule")
        assert (reply.status, reply.code) == (409, "INVALID_STATUS_TRANSITION")
        assert reply.details == {"current_status": status, "allowed_from": ["published"]}
