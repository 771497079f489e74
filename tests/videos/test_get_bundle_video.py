from __future__ import annotations

from uuid import uuid4

from tests.cast import World
from tests.client import Client
from tests.orders.walk import in_days, ordered, uploaded, video
from tokportal_server.lib.db import Connection


async def test_a_new_slot_is_pending_and_holds_nothing(alice: Client) -> None:
    bundle_id = await ordered(alice)
    slot = (await alice.get(f"/bundles/{bundle_id}/videos/2")).data
    assert slot["id"] == slot["video_id"]
    assert (slot["position"], slot["status"], slot["media_status"]) == (2, "pending", "none")
    assert slot["media"] == slot["corrections"] == slot["options_paid"] == []
    assert (
        slot["description"] is slot["target_publish_start_date"] is slot["download_issue"] is None
    )


async def test_shows_what_was_configured_and_the_stored_file(
    alice: Client, bob: Client, conn: Connection, world: World
) -> None:
    bundle_id = await ordered(alice)
    path = await uploaded(conn, world.acme, bundle_id)
    wanted = video(video_url=path, name="First", external_ref="cms-1", disclose_as_ads=True)
    put = await alice.put(f"/bundles/{bundle_id}/videos/1", wanted)
    slot = (await bob.get(f"/bundles/{bundle_id}/videos/1")).data
    assert slot == put.data
    assert slot["name"] == "First"
    assert slot["external_ref"] == "cms-1"
    assert slot["disclose_as_ads"] is True
    assert slot["target_publish_start_date"] == in_days(5)
    assert slot["target_publish_end_date"] == in_days(6)
    assert slot["media_status"] == "ready"
    [file] = slot["media"]
    assert (file["kind"], file["storage_path"], file["status"]) == ("video", path, "ready")
    assert file["url"].endswith(f"/media/{path}")


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.get(f"/bundles/{uuid4()}/videos/1")
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_a_position_that_is_not_there_is_not_found(alice: Client) -> None:
    bundle_id = await ordered(alice)
    for position in ("0", "3", "-1", "x", "1.5", "1001", "99999999999999", "٣"):
        reply = await alice.get(f"/bundles/{bundle_id}/videos/{position}")
        assert (reply.status, reply.code) == (404, "VIDEO_NOT_FOUND"), position


async def test_a_bundle_that_is_not_there_is_not_found(alice: Client) -> None:
    for bundle_id in ("nonsense", uuid4()):
        reply = await alice.get(f"/bundles/{bundle_id}/videos/1")
        assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND"), bundle_id


async def test_does_not_show_the_slot_of_another_workspace(alice: Client, charlie: Client) -> None:
    bundle_id = await ordered(alice)
    reply = await charlie.get(f"/bundles/{bundle_id}/videos/1")
    assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")
