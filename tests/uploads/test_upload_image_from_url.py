"""uploadImageFromUrl, against strangers that behave and that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from tests.client import Client, Reply
from tests.lib.outbound_rig import receiver
from tests.uploads import media
from tests.uploads.gallery import gallery
from tests.uploads.test_fetch import Site, answer, endless, site
from tokportal_server.lib.db import Connection

PATH = "/upload/image/from-url"
Stored = Callable[[], list[Path]]


async def ask(alice: Client, bundle: UUID, url: str, **more: Any) -> Reply:
    headers = more.pop("headers", None)
    return await alice.post(
        PATH, {"url": url, "bundle_id": str(bundle), **more}, headers=headers or {}
    )


async def test_an_image_is_fetched_cleaned_and_stored(
    alice: Client, bundle: UUID, conn: Connection
) -> None:
    async with gallery() as url:
        data = (await ask(alice, bundle, url, purpose="profile_picture")).data
    assert (data["filename"], data["content_type"]) == ("photo.jpg", "image/jpeg")
    # The phone held it upright.
    assert (data["width"], data["height"]) == (20, 40)
    assert data["public_url"] == f"{alice.address}/media/{data['storage_path']}"
    async with aiohttp.ClientSession() as session, session.get(data["public_url"]) as got:
        served = await got.read()
    assert media.GPS_TEXT not in served
    assert (len(served), sha256(served).hexdigest()) == (data["size_bytes"], data["sha256"])
    row = await conn.fetchrow("SELECT * FROM uploads")
    assert row is not None
    assert (row["purpose"], row["source_url"], row["bundle_id"]) == ("profile_picture", url, bundle)


@pytest.mark.parametrize("make", [media.png, media.webp, media.gif])
async def test_takes_these_types_too(
    alice: Client, bundle: UUID, make: Callable[[], bytes]
) -> None:
    async with site(Site(answer(make()))) as url:
        assert (await ask(alice, bundle, url)).status == 200


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Site(answer(media.heic())), "UNSUPPORTED_MEDIA_TYPE"),
        (Site(answer(media.video())), "UNSUPPORTED_MEDIA_TYPE"),
        (Site(answer(b"<html>sign in</html>")), "UNSUPPORTED_MEDIA_TYPE"),
        (Site(answer(b"")), "UNSUPPORTED_MEDIA_TYPE"),
        (Site(answer(media.jpeg()[:200])), "MEDIA_UNREADABLE"),
        (Site(answer(media.png_bomb(20_000))), "IMAGE_TOO_LARGE"),
        (Site(answer(b"", length=10**12)), "FILE_TOO_LARGE"),
        (endless, "FILE_TOO_LARGE"),
        (Site(answer(b"", status="404 Not Found")), "FETCH_FAILED"),
        (Site(answer(b"", status="503 Busy")), "FETCH_FAILED"),
        (Site(answer(b"cut", length=99)), "FETCH_FAILED"),
        (Site(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n"), "FETCH_FAILED"),
        (Site(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"), "FETCH_FAILED"),
    ],
)
async def test_says_why_nothing_was_stored(
    alice: Client, bundle: UUID, conn: Connection, stored: Stored, script: Any, code: str
) -> None:
    async with site(script) as url:
        reply = await ask(alice, bundle, url, headers={"Idempotency-Key": "free again"})
    assert (reply.status, reply.code) == (400, code)
    assert b"secret" not in reply.body
    assert stored() == []
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 0
    assert await conn.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_tells_what_the_host_answered(alice: Client, bundle: UUID) -> None:
    async with site(Site(answer(b"", status="403 Forbidden"))) as url:
        reply = await ask(alice, bundle, url)
    assert reply.details == {"reason": "status", "host_status": 403}
    async with site(Site(b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n")) as url:
        reply = await ask(alice, bundle, url)
    assert reply.details["reason"] == "blocked"


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data",
        "http://photos.example.com/a.jpg",
        "https://10.0.0.1/a.jpg",
        "https://user:pw@photos.example.com/a.jpg",
        "https://photos.example.com:8080/a.jpg",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "photo.jpg",
        "",
    ],
)
async def test_refuses_an_address_that_may_not_be_called(
    alice: Client, bundle: UUID, url: str
) -> None:
    for headers in ({}, {"X-TokPortal-Dry-Run": "true"}):
        reply = await ask(alice, bundle, url, headers=headers)
        assert (reply.status, list(reply.problems)) == (400, ["url"])


async def test_sends_back_to_the_storage_path_what_is_here_already(
    alice: Client, bundle: UUID
) -> None:
    reply = await ask(alice, bundle, f"{alice.address}/media/a/b.jpg")
    assert "storage_path" in reply.problems["url"]


async def test_a_dry_run_calls_nobody(alice: Client, bundle: UUID, stored: Stored) -> None:
    rung = asyncio.Event()

    async def ring(_head: bytes, _writer: asyncio.StreamWriter) -> None:
        rung.set()

    async with receiver(ring) as port:
        url = f"http://127.0.0.1:{port}/a%20photo.png?signature=secret"
        reply = await ask(alice, bundle, url, headers={"X-TokPortal-Dry-Run": "true"})
    assert reply.data["filename"] == "a photo.png"
    assert {value for name, value in reply.data.items() if name != "filename"} == {None}
    assert not rung.is_set()
    assert stored() == []


async def test_calls_at_once_with_one_key_fetch_once(
    alice: Client, bundle: UUID, conn: Connection
) -> None:
    script = Site(answer(media.jpeg()))
    async with site(script) as url:
        replies = await asyncio.gather(
            *(ask(alice, bundle, url, headers={"Idempotency-Key": "one"}) for _ in range(4))
        )
    assert {reply.status for reply in replies} <= {200, 409}
    assert len({reply.body for reply in replies if reply.status == 200}) == 1
    assert len(script.asked) == 1
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1


async def test_a_strangers_bundle_does_not_exist(
    charlie: Client, alice: Client, bundle: UUID, stored: Stored
) -> None:
    script = Site(answer(media.jpeg()))
    async with site(script) as url:
        assert (await ask(charlie, bundle, url)).code == "BUNDLE_NOT_FOUND"
        assert (await ask(alice, uuid4(), url)).code == "BUNDLE_NOT_FOUND"
    assert script.asked == []
    assert stored() == []
