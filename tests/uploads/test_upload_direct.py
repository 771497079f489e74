"""Direct uploads over real HTTP: uploadVideoDirect and uploadImageDirect."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import msgspec
import pytest
from PIL import Image

from tests.cast import World
from tests.client import Client, Reply
from tests.conftest import serving
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

VIDEO, IMAGE = "/upload/video/direct", "/upload/image/direct"
Stored = Callable[[], list[Path]]


async def upload(
    client: Client,
    path: str,
    file: bytes | None,
    fields: dict[str, str],
    *,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Reply:
    body, own = form(file, fields, **more)
    return await client.post(path, body=body, headers=own | (headers or {}))


async def fetch(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.read()


async def rows(conn: Connection) -> list[Any]:
    return await conn.fetch("SELECT * FROM uploads ORDER BY recorded_at")


@pytest.mark.parametrize("file_first", [True, False])
async def test_stores_a_video_byte_for_byte_whatever_the_order_of_parts(
    alice: Client, bundle: UUID, clip: bytes, conn: Connection, *, file_first: bool
) -> None:
    reply = await upload(
        alice,
        VIDEO,
        clip,
        {"bundle_id": str(bundle)},
        filename="my clip.txt",
        claimed_type="text/html",
        file_first=file_first,
    )
    data = reply.data
    assert reply.status == 200
    assert data | {"public_url": "", "storage_path": "", "duration_seconds": 0} == {
        "public_url": "",
        "storage_path": "",
        "filename": "my clip.txt",
        "size_bytes": len(clip),
        "content_type": "video/mp4",
        "width": 64,
        "height": 96,
        "duration_seconds": 0,
        "sha256": sha256(clip).hexdigest(),
    }
    assert data["duration_seconds"] == pytest.approx(1.0, abs=0.2)
    assert data["public_url"] == f"{alice.address}/media/{data['storage_path']}"
    assert await fetch(data["public_url"]) == clip
    [row] = await rows(conn)
    assert (row["bundle_id"], row["purpose"]) == (bundle, "video")
    assert row["storage_key"] == data["storage_path"]


async def test_stores_an_image_upright_and_without_metadata(
    alice: Client, bundle: UUID, photo: bytes, conn: Connection
) -> None:
    assert media.GPS_TEXT in photo
    data = (
        await upload(alice, IMAGE, photo, {"bundle_id": str(bundle), "purpose": "profile_picture"})
    ).data
    assert "duration_seconds" not in data
    assert (data["content_type"], data["width"], data["height"]) == ("image/jpeg", 20, 40)
    served = await fetch(data["public_url"])
    assert sha256(served).hexdigest() == data["sha256"]
    assert len(served) == data["size_bytes"]
    assert media.GPS_TEXT not in served
    with Image.open(io.BytesIO(served)) as image:
        assert not image.getexif()
        assert image.size == (20, 40)
    assert [row["purpose"] for row in await rows(conn)] == ["profile_picture"]


async def test_heic_becomes_jpeg_and_the_purpose_carousel(
    alice: Client, bundle: UUID, conn: Connection
) -> None:
    data = (
        await upload(alice, IMAGE, media.heic(), {"bundle_id": str(bundle)}, filename="IMG_1.HEIC")
    ).data
    assert data["content_type"] == "image/jpeg"
    assert data["filename"] == "IMG_1.HEIC"
    assert (await fetch(data["public_url"])).startswith(b"\xff\xd8\xff")
    assert [row["purpose"] for row in await rows(conn)] == ["carousel"]


async def test_needs_a_key(nobody: Client, clip: bytes) -> None:
    reply = await upload(nobody, VIDEO, clip, {"bundle_id": str(uuid4())})
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_refuses_a_key_that_may_only_read(bob: Client, bundle: UUID, clip: bytes) -> None:
    reply = await upload(bob, VIDEO, clip, {"bundle_id": str(bundle)})
    assert (reply.status, reply.code) == (403, "AUTH_INSUFFICIENT_SCOPE")


@pytest.mark.parametrize("path", [VIDEO, IMAGE])
async def test_a_strangers_bundle_does_not_exist(
    alice: Client, charlies_bundle: UUID, clip: bytes, path: str, stored: Stored
) -> None:
    for bundle_id in (charlies_bundle, uuid4()):
        reply = await upload(alice, path, clip, {"bundle_id": str(bundle_id)})
        assert (reply.status, reply.code) == (404, "BUNDLE_NOT_FOUND")
    assert stored() == []


async def test_names_every_wrong_field_at_once(alice: Client, photo: bytes) -> None:
    reply = await upload(
        alice,
        IMAGE,
        photo,
        {"bundle_id": "42", "purpose": "banner", "colour": "red"},
        filename="x" * 256,
    )
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert set(reply.problems) == {"bundle_id", "purpose", "colour", "file"}
    assert "carousel" in reply.problems["purpose"]


async def test_names_a_missing_field_and_a_missing_file(
    alice: Client, bundle: UUID, clip: bytes
) -> None:
    reply = await upload(alice, VIDEO, clip, {})
    assert reply.problems == {"bundle_id": "is required"}
    reply = await upload(alice, VIDEO, None, {"bundle_id": str(bundle)})
    assert set(reply.problems) == {"file"}


async def test_a_field_too_many_is_an_unknown_field(
    alice: Client, bundle: UUID, clip: bytes
) -> None:
    fields = {"bundle_id": str(bundle), "purpose": "carousel"}
    reply = await upload(alice, VIDEO, clip, fields)
    assert (reply.status, reply.code) == (400, "UNKNOWN_FIELD")
    assert reply.details == {"fields": ["purpose"]}


async def test_refuses_the_id_of_a_bundle_that_a_dry_run_imagined(
    alice: Client, clip: bytes
) -> None:
    imagined = {"bundle_id": "00000000-0000-4000-8000-0123456789ab"}
    reply = await upload(alice, VIDEO, clip, imagined)
    assert (reply.status, reply.code) == (400, "DRY_RUN_ID_IN_LIVE_REQUEST")
    again = await upload(alice, VIDEO, clip, imagined, headers={"X-TokPortal-Dry-Run": "true"})
    assert again.data["public_url"] is None


@pytest.mark.parametrize(
    ("path", "make", "code"),
    [
        (VIDEO, media.jpeg, "UNSUPPORTED_MEDIA_TYPE"),
        (IMAGE, media.video, "UNSUPPORTED_MEDIA_TYPE"),
        (VIDEO, lambda: b"<html><script>alert(1)</script></html>", "UNSUPPORTED_MEDIA_TYPE"),
        (IMAGE, lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "UNSUPPORTED_MEDIA_TYPE"),
        (IMAGE, lambda: b"", "UNSUPPORTED_MEDIA_TYPE"),
        (VIDEO, lambda: media.video()[:400], "MEDIA_UNREADABLE"),
        (IMAGE, lambda: media.png_bomb(20_000), "IMAGE_TOO_LARGE"),
    ],
)
async def test_refuses_by_its_bytes_what_is_not_taken(
    alice: Client,
    bundle: UUID,
    stored: Stored,
    conn: Connection,
    path: str,
    make: Callable[[], bytes],
    code: str,
) -> None:
    reply = await upload(alice, path, make(), {"bundle_id": str(bundle)}, claimed_type="video/mp4")
    assert (reply.status, reply.code) == (400, code)
    assert stored() == []
    assert await rows(conn) == []


async def test_refuses_a_video_that_plays_too_long(
    settings: Settings, world: World, bundle: UUID
) -> None:
    strict = msgspec.structs.replace(settings, video_max_seconds=1)
    async with serving(strict) as address, Client(address, world.alice_key) as client:
        long = media.video(frames=75)
        reply = await upload(client, VIDEO, long, {"bundle_id": str(bundle)})
    assert (reply.status, reply.code) == (400, "VIDEO_TOO_LONG")


@pytest.mark.parametrize("path", [VIDEO, IMAGE])
async def test_refuses_a_file_over_the_limit_while_it_arrives(
    settings: Settings, world: World, bundle: UUID, clip: bytes, stored: Stored, path: str
) -> None:
    small = msgspec.structs.replace(settings, video_max_bytes=1000, image_max_bytes=1000)
    async with serving(small) as address, Client(address, world.alice_key) as client:
        reply = await upload(client, path, clip, {"bundle_id": str(bundle)})
    assert (reply.status, reply.code) == (400, "FILE_TOO_LARGE")
    assert reply.details["limit_bytes"] == 1000
    assert stored() == []


async def test_refuses_a_file_that_is_announced_as_too_long_before_any_of_it_has_come(
    settings: Settings, world: World, server: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
    writer.write(
        b"POST /api/ext%s HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        % (VIDEO.encode(), server.encode(), world.alice_key.encode(), 2 << 30)
    )
    async with asyncio.timeout(60):
        assert b" 400 " in await reader.readline()
        assert b"FILE_TOO_LARGE" in await reader.readuntil(b"FILE_TOO_LARGE")
    writer.close()


async def test_refuses_a_body_that_is_no_form(alice: Client) -> None:
    reply = await alice.post(VIDEO, {"bundle_id": "x"})
    assert (reply.status, reply.code) == (415, "UNSUPPORTED_CONTENT_TYPE")


async def test_refuses_a_form_that_is_cut_short(
    alice: Client, bundle: UUID, clip: bytes, stored: Stored
) -> None:
    body, headers = form(clip, {"bundle_id": str(bundle)}, file_first=False)
    reply = await alice.post(VIDEO, body=body[:-200], headers=headers)
    assert (reply.status, reply.code) == (400, "MALFORMED_MULTIPART")
    assert stored() == []


async def test_a_sender_that_hangs_up_leaves_nothing(
    alice: Client, bundle: UUID, clip: bytes, stored: Stored
) -> None:
    body, headers = form(clip + bytes(4 << 20), {"bundle_id": str(bundle)})
    head = {**headers, "Host": "x", "X-API-Key": alice.key, "Content-Length": str(len(body))}
    lines = [f"POST /api/ext{VIDEO} HTTP/1.1", *(f"{k}: {v}" for k, v in head.items())]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(alice.address.split(":")[2]))
    writer.write("\r\n".join([*lines, "", ""]).encode() + body[: 3 << 20])
    async with asyncio.timeout(30):
        while not stored():  # noqa: ASYNC110 - the server makes it true, and tells nobody
            await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
        while stored():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    assert await reader.read() == b""


async def test_a_replayed_key_gives_the_same_answer_and_stores_one_object(
    alice: Client, bundle: UUID, clip: bytes, stored: Stored, conn: Connection
) -> None:
    async def once() -> Reply:
        fields = {"bundle_id": str(bundle)}
        return await upload(alice, VIDEO, clip, fields, headers={"Idempotency-Key": "up-1"})

    first = await once()
    again = await once()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.body == first.body
    assert len(stored()) == 1
    assert len(await rows(conn)) == 1


async def test_the_same_key_sent_at_once_has_one_effect(
    alice: Client, bundle: UUID, photo: bytes, stored: Stored, conn: Connection
) -> None:
    fields, key = {"bundle_id": str(bundle)}, {"Idempotency-Key": "up-2"}
    replies = await asyncio.gather(
        *(upload(alice, IMAGE, photo, fields, headers=key) for _ in range(4))
    )
    assert {r.status for r in replies} <= {200, 409}
    assert len({r.body for r in replies if r.status == 200}) == 1
    assert len(stored()) == 1
    assert len(await rows(conn)) == 1


async def test_a_used_key_with_another_file_is_refused(
    alice: Client, bundle: UUID, photo: bytes
) -> None:
    fields, key = {"bundle_id": str(bundle)}, {"Idempotency-Key": "up-3"}
    assert (await upload(alice, IMAGE, photo, fields, headers=key)).status == 200
    reply = await upload(alice, IMAGE, media.png(), fields, headers=key)
    assert (reply.status, reply.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_dry_run_checks_everything_and_leaves_nothing(
    alice: Client, bundle: UUID, photo: bytes, stored: Stored, conn: Connection
) -> None:
    dry = {"X-TokPortal-Dry-Run": "1", "Idempotency-Key": "dry"}
    reply = await upload(alice, IMAGE, photo, {"bundle_id": str(bundle)}, headers=dry)
    assert reply.headers["X-TokPortal-Dry-Run"] == "true"
    assert reply.json["credits_charged"] == reply.json["credits_would_charge"] == 0
    assert reply.data["public_url"] is None
    assert reply.data["storage_path"] is None
    assert (reply.data["width"], reply.data["height"]) == (20, 40)
    refused = await upload(alice, IMAGE, b"text", {"bundle_id": str(bundle)}, headers=dry)
    assert refused.code == "UNSUPPORTED_MEDIA_TYPE"
    assert stored() == []
    assert await rows(conn) == []
    assert await conn.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_an_answer_that_cannot_be_recorded_leaves_no_object(
    alice: Client, bundle: UUID, photo: bytes, stored: Stored, conn: Connection
) -> None:
    await conn.execute("ALTER TABLE uploads ADD CONSTRAINT broken CHECK (filename <> 'bad.jpg')")
    reply = await upload(alice, IMAGE, photo, {"bundle_id": str(bundle)}, filename="bad.jpg")
    assert (reply.status, reply.code) == (500, "INTERNAL_ERROR")
    assert stored() == []
