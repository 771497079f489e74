"""Emptying a slot that nobody works on."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import (
    claimed,
    events_of,
    in_days,
    ordered,
    posted,
    published_with_videos,
    video,
    workable,
)
from tests.videos.steps import videos_only
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports


async def test_a_configured_slot_is_as_it_was_ordered_but_keeps_what_was_paid(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice, edits_quantity=1)
    path = f"/bundles/{bundle_id}/videos/1"
    fresh = (await alice.get(path)).data
    body = video(
        name="One",
        external_ref="r-1",
        volume_added_sound=5,
        editing_instructions="Cut.",
        auto_publish=True,
    )
    await alice.put(path, body)
    reply = await alice.post(f"{path}/reset")
    assert reply.status == 200
    assert {k: v for k, v in reply.data.items() if k != "updated_at"} == {
        **{k: v for k, v in fresh.items() if k != "updated_at"},
        "options_paid": ["sound_volume"],
    }
    assert (await alice.get(f"/bundles/{bundle_id}")).data["edits_remaining"] == 1
    [event] = await events_of(conn, world, "video.reset")
    told = event["data"]
    assert (told["status"], told["previous_status"], told["position"]) == (
        "pending",
        "configured",
        1,
    )
    assert told["external_ref"] == "r-1"
    again = await alice.put(path, video(volume_added_sound=9))
    assert (again.data["status"], again.json["credits_charged"]) == ("configured", 0)


async def test_a_published_slot_gives_its_day_to_another(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=3)
    await alice.post(f"/bundles/{bundle_id}/add-video-slots", {"quantity": 1})
    fourth = f"/bundles/{bundle_id}/videos/4"
    assert (await alice.put(fourth, video(5))).code == "VIDEOS_PER_DAY_EXCEEDED"
    reply = await alice.post(f"/bundles/{bundle_id}/videos/2/reset")
    assert (reply.data["status"], reply.data["published_at"]) == ("pending", None)
    assert (await alice.put(fourth, video(5))).status == 200


async def test_the_last_published_slot_of_an_unclaimed_videos_only_bundle_stays(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await videos_only(alice, conn, world, ports, videos=2)
    assert (await alice.post(f"/bundles/{bundle_id}/videos/1/reset")).status == 200
    last = await alice.post(f"/bundles/{bundle_id}/videos/2/reset")
    assert (last.status, last.code) == (409, "NO_VIDEOS_CONFIGURED")
    # What is not published may go: nobody was offered it.
    await alice.put(f"/bundles/{bundle_id}/videos/1", video(6))
    assert (await alice.post(f"/bundles/{bundle_id}/videos/1/reset")).status == 200


async def test_what_is_empty_or_worked_on_cannot_be_reset(alice: Client, conn: Connection) -> None:
    bundle_id = await ordered(alice, videos=1)
    path = f"/bundles/{bundle_id}/videos/1/reset"
    for status in ("pending", "accepted", "in_review", "pending_corrections", "finalized"):
        await conn.execute("UPDATE slots SET status = $1", status)
        reply = await alice.post(path)
        assert (reply.status, reply.code) == (409, "INVALID_STATUS_TRANSITION")
        assert reply.details == {
            "current_status": status,
            "allowed_from": ["configured", "published"],
        }


@pytest.mark.parametrize("call", ["reset", "unschedule"])
async def test_on_a_claimed_order_only_what_is_not_accepted_can_be_taken_back(
    alice: Client, conn: Connection, world: World, ports: Ports, call: str
) -> None:
    bundle_id = await published_with_videos(alice, conn, world, videos=1)
    await claimed(conn, world, ports, bundle_id)
    refused = await alice.post(f"/bundles/{bundle_id}/videos/1/{call}")
    assert refused.details["current_status"] == "accepted"


async def test_a_slot_given_back_by_its_manager_can_be_reset_and_configured_anew(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=2)
    await posted(conn, world, ports, bundle_id, 1)
    await conn.execute(
        "UPDATE slots SET download_issue = $1 WHERE position = 2",
        {"reported_at": "2026-01-01T00:00:00.000Z", "reason": "404"},
    )
    await conn.execute("UPDATE slots SET status = 'published' WHERE position = 2")
    reply = await alice.post(f"/bundles/{bundle_id}/videos/2/reset")
    assert (reply.data["status"], reply.data["download_issue"]) == ("pending", None)
    again = await alice.put(f"/bundles/{bundle_id}/videos/2", video(6))
    assert again.data["target_publish_start_date"] == in_days(6)


async def test_refuses_whoever_may_not_and_what_is_not_there(
    alice: Client, bob: Client, charlie: Client
) -> None:
    bundle_id = await ordered(alice)
    path = f"/bundles/{bundle_id}/videos/1/reset"
    assert (await bob.post(path)).code == "AUTH_INSUFFICIENT_SCOPE"
    assert (await charlie.post(path)).code == "BUNDLE_NOT_FOUND"
    assert (await alice.post(path.replace("/1/", "/9/"))).code == "VIDEO_NOT_FOUND"
    assert (await alice.post(path, {"why": "so"})).code == "UNKNOWN_FIELD"
