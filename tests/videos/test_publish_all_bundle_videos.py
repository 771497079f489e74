"""Offering every configured slot of a published bundle."""

from __future__ import annotations

from tests.cast import World
from tests.client import Client
from tests.orders.walk import claimed, events_of, in_days, ordered, published, uploaded, video
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

FAILED = """
UPDATE slots SET media_status = 'failed', media_error = '{"code": "X", "message": "gone"}'
 WHERE position = $1
"""
STALE = "UPDATE slots SET target_start = current_date, target_end = current_date + 1"


async def configured(
    alice: Client, conn: Connection, world: World, bundle_id: str, positions: range
) -> None:
    """Configure slots with uploaded videos, three a day."""
    for position in positions:
        path = await uploaded(conn, world.acme, bundle_id)
        body = video(5 + position // 3, video_url=path)
        assert (await alice.put(f"/bundles/{bundle_id}/videos/{position}", body)).status == 200


async def test_publishes_what_is_ready_waits_for_media_and_skips_what_failed(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=5)
    await configured(alice, conn, world, bundle_id, range(1, 4))
    await alice.put(f"/bundles/{bundle_id}/videos/4", video(8))
    await conn.execute(FAILED, 3)
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    reply = await alice.post(f"/bundles/{bundle_id}/videos/publish-all")
    assert (reply.status, reply.data) == (
        200,
        {
            "bundle_id": bundle_id,
            "videos_published": 2,
            "video_ids": [slots[0]["id"], slots[1]["id"]],
            "videos_waiting_media": [slots[3]["id"]],
            "skipped": [{"position": 3, "code": "MEDIA_FAILED"}],
            "adjusted_videos": [],
        },
    )
    after = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [slot["status"] for slot in after] == [
        "published",
        "published",
        "configured",
        "configured",
        "pending",
    ]
    assert after[3]["publish_when_ready"] is True
    again = await alice.post(f"/bundles/{bundle_id}/videos/publish-all")
    assert again.data["videos_published"] == 0


async def test_on_a_claimed_order_the_slots_are_accepted_at_once(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await published(alice, videos=2)
    await claimed(conn, world, ports, bundle_id)
    await configured(alice, conn, world, bundle_id, range(1, 3))
    reply = await alice.post(f"/bundles/{bundle_id}/videos/publish-all")
    assert reply.data["videos_published"] == 2
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert [slot["status"] for slot in slots] == ["accepted", "accepted"]


async def test_stale_dates_are_moved_and_told_or_refused_as_asked(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=4)
    await configured(alice, conn, world, bundle_id, range(1, 5))
    await conn.execute(STALE)
    path = f"/bundles/{bundle_id}/videos/publish-all"
    refused = await alice.post(path, headers={"X-TokPortal-Stale-Dates": "reject"})
    assert (refused.status, refused.code) == (409, "STALE_DATES")
    assert refused.details["positions"] == [1, 2, 3, 4]
    moved = (await alice.post(path)).data["adjusted_videos"]
    assert [(v["position"], v["previous_date"], v["new_date"]) for v in moved] == [
        (1, in_days(0), in_days(3)),
        (2, in_days(0), in_days(3)),
        (3, in_days(0), in_days(3)),
        (4, in_days(0), in_days(4)),
    ]
    told = await events_of(conn, world, "video.rescheduled")
    assert [event["data"]["new_date"] for event in told] == [v["new_date"] for v in moved]
    slots = (await alice.get(f"/bundles/{bundle_id}/videos")).data
    assert {slot["date_adjusted"] for slot in slots} == {True}


async def test_a_bundle_that_is_not_offered_is_refused(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice)
    for status in ("pending_setup", "completed", "cancelled", "archived"):
        await conn.execute("UPDATE bundles SET status = $1", status)
        reply = await alice.post(f"/bundles/{bundle_id}/videos/publish-all")
        assert (reply.status, reply.code) == (409, "BUNDLE_INVALID_STATUS")
