"""The job make_thumbnail, and where its pictures are found."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from PIL import Image

from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered, video
from tests.uploads import media
from tests.uploads.test_media import uploaded
from tests.uploads.test_upload_direct import IMAGE, VIDEO, upload
from tokportal_server.entry.worker import job_runner
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.queries import thumbnails_of
from tokportal_server.uploads.thumbnails import ThumbnailMaker


async def work(ports: Ports) -> None:
    await job_runner(ports, OrderRules.of(ports.settings)).drain()


async def thumbnail(conn: Connection) -> Any:
    return await conn.fetchrow("SELECT * FROM thumbnails")


async def picture_at(url: str) -> Image.Image:
    async with aiohttp.ClientSession() as session, session.get(url) as got:
        assert (got.status, got.headers["Content-Type"]) == (200, "image/jpeg")
        return Image.open(io.BytesIO(await got.read()))


def colours(picture: Image.Image) -> list[str]:
    """Name the colours a quarter and three quarters along, first across, then down."""
    width, height = picture.size
    points = [
        (width // 4, height // 2),
        (3 * width // 4, height // 2),
        (width // 2, height // 4),
        (width // 2, 3 * height // 4),
    ]
    found = []
    for point in points:
        red, _, blue = picture.convert("RGB").getpixel(point)  # type: ignore[misc]
        found.append("red" if red > blue else "blue")
    return found


@pytest.mark.parametrize(
    "content",
    [
        media.saved(media.picture((2000, 1000)), "JPEG"),
        media.saved(media.picture((2000, 1000)), "PNG"),
        media.saved(media.picture((2000, 1000)), "WEBP"),
        media.saved(media.picture((2000, 1000)), "GIF"),
        media.heic((2000, 1000)),
    ],
)
async def test_each_kind_of_image_gets_a_small_picture(
    alice: Client, bundle: UUID, ports: Ports, conn: Connection, content: bytes
) -> None:
    await upload(alice, IMAGE, content, {"bundle_id": str(bundle)})
    await work(ports)
    row = await thumbnail(conn)
    picture = await picture_at(f"{alice.address}/media/{row['storage_key']}")
    assert picture.size == (row["width"], row["height"]) == (480, 240)
    assert colours(picture)[:2] == ["red", "blue"]


async def test_a_small_image_is_not_blown_up(
    alice: Client, bundle: UUID, ports: Ports, conn: Connection
) -> None:
    await upload(alice, IMAGE, media.png("RGBA"), {"bundle_id": str(bundle)})
    await work(ports)
    row = await thumbnail(conn)
    assert (row["width"], row["height"]) == (40, 20)


@pytest.mark.parametrize(
    ("rotation", "size", "first_and_second"),
    [
        (0, (480, 240), ("red", "blue")),
        (90, (240, 480), ("blue", "red")),
        (-90, (240, 480), ("red", "blue")),
        (180, (480, 240), ("blue", "red")),
    ],
)
async def test_a_videos_first_frame_is_shown_as_it_is_held(
    alice: Client,
    bundle: UUID,
    ports: Ports,
    conn: Connection,
    rotation: int,
    size: tuple[int, int],
    first_and_second: tuple[str, str],
) -> None:
    film = media.still_video((960, 480), rotation=rotation)
    await upload(alice, VIDEO, film, {"bundle_id": str(bundle)})
    await work(ports)
    row = await thumbnail(conn)
    picture = await picture_at(f"{alice.address}/media/{row['storage_key']}")
    assert picture.size == size
    seen = colours(picture)
    # Turned a quarter against the clock, what was on the left is below.
    assert tuple(seen[2:] if abs(rotation) == 90 else seen[:2]) == first_and_second


async def test_a_slots_pictures_are_found_in_order(
    alice: Client, ports: Ports, conn: Connection, world: World
) -> None:
    bundle = await ordered(alice, videos=1)
    paths = []
    for content in (media.png(), media.saved(media.picture((20, 40)), "PNG")):
        fields = {"bundle_id": bundle}
        paths.append((await upload(alice, IMAGE, content, fields)).data["storage_path"])
    wanted = video(video_type="carousel", carousel_images=paths[::-1])
    del wanted["video_url"]
    slot = (await alice.put(f"/bundles/{bundle}/videos/1", wanted)).data
    await work(ports)
    owner = UUID(slot["id"])
    found = await thumbnails_of(conn, world.acme, [owner, uuid4()], base_url=alice.address)
    assert list(found) == [owner]
    assert [(await picture_at(url)).size for url in found[owner]] == [(20, 40), (40, 20)]
    assert await thumbnails_of(conn, world.other, [owner], base_url=alice.address) == {}


async def test_made_twice_it_is_stored_once(
    alice: Client, bundle: UUID, ports: Ports, conn: Connection
) -> None:
    await upload(alice, IMAGE, media.png(), {"bundle_id": str(bundle)})
    row = await conn.fetchrow("SELECT workspace_id, id FROM uploads")
    assert row is not None
    payload = {"workspace_id": str(row["workspace_id"]), "upload_id": str(row["id"])}
    for _ in range(2):
        await ThumbnailMaker(ports).run(payload)
    assert await conn.fetchval("SELECT count(*) FROM thumbnails") == 1
    assert len([listed async for listed in ports.storage.listing()]) == 2


async def test_what_was_swept_meanwhile_gets_none(ports: Ports, world: World) -> None:
    payload = {"workspace_id": str(world.acme), "upload_id": str(uuid4())}
    await ThumbnailMaker(ports).run(payload)
    assert [listed async for listed in ports.storage.listing()] == []


async def test_a_lost_object_gets_none_and_holds_nobody_up(
    ports: Ports, world: World, bundle: UUID, conn: Connection
) -> None:
    await uploaded(conn, world.acme, bundle)
    await work(ports)
    assert await thumbnail(conn) is None
    assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 0
