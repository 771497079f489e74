"""Other media in place of those that the manager could not use."""

from __future__ import annotations

from typing import Any

from tests.cast import World
from tests.client import Client
from tests.orders.walk import posted, uploaded, workable
from tests.videos.steps import URL, reported
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

IMAGE = "https://media.example.com/a.png"
# As if the slot had been ordered as another kind.
KIND = "UPDATE slots SET video_type = $1"
INSTAGRAM = "UPDATE bundles SET platform = 'instagram'"


async def test_new_media_are_fetched_and_the_report_comes_down(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await reported(conn, world, bundle_id)
    path = f"/bundles/{bundle_id}/videos/1"
    before = (await alice.get(path)).data
    assert before["download_issue"]["reason"] == "404"
    reply = await alice.post(f"{path}/fix-download", {"video_url": URL})
    assert (reply.status, reply.data["status"]) == (200, "accepted")
    assert (reply.data["download_issue"], reply.data["media_status"]) == (None, "fetching")
    assert reply.data["video_url"] == URL
    assert [m["url"] for m in reply.data["media"]] == [URL]
    kept = ("description", "target_publish_start_date", "options_paid", "name")
    assert {k: reply.data[k] for k in kept} == {k: before[k] for k in kept}
    jobs = await conn.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'fetch_media'")
    assert jobs == 1
    again = await alice.post(f"{path}/fix-download", {"video_url": URL})
    assert (again.status, again.code) == (409, "NO_DOWNLOAD_ISSUE")


async def test_exactly_one_field_is_given_and_it_fits_the_slot(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await reported(conn, world, bundle_id)
    path = f"/bundles/{bundle_id}/videos/1/fix-download"
    cases: list[tuple[str, dict[str, Any], set[str]]] = [
        ("video", {}, {"body"}),
        ("video", {"video_url": None}, {"body"}),
        ("video", {"video_url": URL, "story_image_url": IMAGE}, {"body"}),
        ("video", {"video_url": ""}, {"body"}),
        ("video", {"video_url": "https://10.0.0.1/a.mp4"}, {"video_url"}),
        ("video", {"carousel_images": [IMAGE]}, {"carousel_images"}),
        ("video", {"story_image_url": IMAGE}, {"story_image_url"}),
        ("carousel", {"video_url": URL}, {"video_url"}),
        ("carousel", {"carousel_images": []}, {"body"}),
        ("carousel", {"carousel_images": [IMAGE] * 36}, {"carousel_images"}),
        ("story", {"carousel_images": [IMAGE]}, {"carousel_images"}),
    ]
    for kind, body, fields in cases:
        await conn.execute(KIND, kind)
        reply = await alice.post(path, body)
        assert (reply.status, reply.code) == (400, "VALIDATION_ERROR"), body
        assert set(reply.problems) == fields, body
    await conn.execute(KIND, "video")
    assert (await alice.post(path, {"video_url": f"{world.acme}/no"})).code == "MEDIA_NOT_FOUND"
    assert (await alice.get(path.removesuffix("/fix-download"))).data["download_issue"] is not None


async def test_a_story_may_change_from_a_film_to_a_picture(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await conn.execute(KIND, "story")
    await conn.execute(INSTAGRAM)
    await reported(conn, world, bundle_id)
    picture = await uploaded(conn, world.acme, bundle_id, "carousel")
    path = f"/bundles/{bundle_id}/videos/1/fix-download"
    slot = (await alice.post(path, {"story_image_url": picture, "video_url": ""})).data
    assert (slot["story_image_url"], slot["video_url"]) == (picture, None)
    assert [(m["kind"], m["storage_path"]) for m in slot["media"]] == [("story_image", picture)]
    assert slot["media_status"] == "ready"


async def test_a_carousel_has_no_more_images_than_its_platform_takes(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1)
    await conn.execute(KIND, "carousel")
    await conn.execute(INSTAGRAM)
    await reported(conn, world, bundle_id)
    path = f"/bundles/{bundle_id}/videos/1/fix-download"
    many = await alice.post(path, {"carousel_images": [IMAGE] * 21})
    assert many.problems.keys() == {"carousel_images"}
    assert (await alice.post(path, {"carousel_images": [IMAGE] * 20})).status == 200


async def test_there_is_nothing_to_fix_without_a_report_or_once_the_post_is_in(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle_id = await workable(alice, conn, world, ports, videos=1, auto_finalize_videos=False)
    path = f"/bundles/{bundle_id}/videos/1/fix-download"
    assert (await alice.post(path, {"video_url": URL})).code == "NO_DOWNLOAD_ISSUE"
    await reported(conn, world, bundle_id)
    await posted(conn, world, ports, bundle_id)
    late = await alice.post(path, {"video_url": URL})
    assert (late.code, late.details) == ("NO_DOWNLOAD_ISSUE", {"current_status": "in_review"})
