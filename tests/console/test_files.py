from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cast import World
from tests.client import Client
from tests.console.addresses import console, made_from
from tests.orders.walk import in_days, ordered
from tests.pages.guest import Guest
from tests.uploads import media
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

UPLOADS = "SELECT purpose, content_type, filename, bundle_id::text FROM uploads"
JOIN = "UPDATE workspace_members SET role = 'viewer' WHERE person_id = $1"


@pytest.fixture(scope="module")
def clip() -> bytes:
    """A second of film."""
    return media.video()


async def test_a_video_is_checked_stored_and_comes_back_in_its_field(
    alice: Client, conn: Connection, world: World, customer: Guest, clip: bytes
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = console(world, "bundles", bundle_id, "slots", 1)
    await customer.get(there)
    sent = {"into": "video_url", "position": "1"}
    done = await customer.send_file(
        console(world, "bundles", bundle_id, "files"), clip, sent, name="spring.mp4"
    )
    assert done.to.startswith(f"{there}?")
    path = parse_qs(urlsplit(done.to).query)["file"][0]
    row = await conn.fetchrow(UPLOADS)
    assert row is not None
    assert tuple(row) == ("video", "video/mp4", "spring.mp4", bundle_id)
    page = await customer.get(done.to)
    assert f'value="{path}"' in page.html
    fields = {
        "video_type": "video",
        "target_publish_date": in_days(5),
        "description": "Look.",
        "video_url": path,
        "seen": made_from(page, there),
    }
    assert (await customer.post(there, fields)).status == 303
    shown = await customer.get(there)
    assert f'src="/media/{path}"' in shown.html
    # The page may show it: it is a file of ours.
    assert "media-src 'self'" in shown.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("into", "purpose", "back"),
    [
        ("carousel_images", "carousel", "slots/1"),
        ("story_image_url", "carousel", "slots/1"),
        ("profile_picture_url", "profile_picture", "profile"),
    ],
)
async def test_a_picture_has_the_purpose_of_its_field(
    alice: Client,
    conn: Connection,
    world: World,
    customer: Guest,
    into: str,
    purpose: str,
    back: str,
) -> None:
    bundle_id = await ordered(alice, videos=1, platform="instagram")
    here = console(world, "bundles", bundle_id)
    await customer.get(here)
    fields = {"into": into, "position": "1"}
    done = await customer.send_file(f"{here}/files", media.jpeg(), fields)
    assert done.to.startswith(f"{here}/{back}?")
    assert await conn.fetchval("SELECT purpose FROM uploads") == purpose
    path = parse_qs(urlsplit(done.to).query)["file"][0]
    assert path in (await customer.get(done.to)).html


async def test_what_is_no_such_file_is_refused_and_nothing_is_kept(
    alice: Client, conn: Connection, world: World, customer: Guest, settings: Settings
) -> None:
    bundle_id = await ordered(alice, videos=1)
    there = console(world, "bundles", bundle_id, "files")
    await customer.get(console(world, "bundles", bundle_id))
    video = {"into": "video_url", "position": "1"}
    refused = await customer.send_file(there, media.jpeg(), video)
    assert (refused.status, refused.code) == (400, "UNSUPPORTED_MEDIA_TYPE")
    large = await customer.send_file(
        there, b"\0" * (settings.image_max_bytes + 1), {**video, "into": "carousel_images"}
    )
    assert (large.status, large.code) == (400, "FILE_TOO_LARGE")
    for into in ("", "no_field", "evidence_url"):
        nowhere = await customer.send_file(there, media.jpeg(), {"into": into})
        assert nowhere.status == 400
    assert await conn.fetch(UPLOADS) == []
    assert [path for path in settings.incoming.iterdir() if path.is_file()] == []


async def test_a_file_from_elsewhere_or_without_a_right_is_not_even_read(
    alice: Client, charlie: Client, conn: Connection, world: World, customer: Guest
) -> None:
    bundle_id, foreign = await ordered(alice, videos=1), await ordered(charlie, videos=1)
    there = console(world, "bundles", bundle_id, "files")
    video = {"into": "video_url", "position": "1"}
    forged = await customer.send_file(there, b"x", {**video, "form_token": "0" * 64})
    assert forged.code == "FORM_NOT_OURS"
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert (await customer.send_file(there, b"x", video, headers=elsewhere)).code == "FORM_NOT_OURS"
    assert (await customer.post(there, video)).status == 415
    await customer.get(console(world))
    absent = await customer.send_file(console(world, "bundles", foreign, "files"), b"x", video)
    assert absent.code == "PAGE_NOT_FOUND"
    stranger = console(world, "bundles", bundle_id, "files").replace(
        str(world.acme), str(world.other)
    )
    assert (await customer.send_file(stranger, b"x", video)).code == "PAGE_NOT_FOUND"
    await conn.execute(JOIN, world.alice)
    assert (await customer.send_file(there, b"x", video)).code == "PAGE_FORBIDDEN"
    assert await conn.fetch(UPLOADS) == []
