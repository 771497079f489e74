"""PUT /uploads/{permit} over real HTTP: this server in the place of a bucket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tokportal_server.http.asgi import _loggable
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import make_key
from tokportal_server.uploads.presigned import Permit, read_permit, sign_permit

Stored = Callable[[], list[Path]]
TYPE = {"Content-Type": "video/mp4"}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def presigned(alice: Client, bundle: UUID) -> Any:
    asked = {"filename": "a.mp4", "bundle_id": str(bundle)}
    return (await alice.post("/upload/video", asked)).data


async def put(
    session: aiohttp.ClientSession, url: str, content: Any, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    async with session.put(url, data=content, headers=TYPE if headers is None else headers) as got:
        assert got.headers["Content-Type"] == "application/json"
        return got.status, await got.json()


async def refused(*arguments: Any, **more: Any) -> tuple[int, str]:
    status, body = await put(*arguments, **more)
    return status, body["error"]["code"]


async def test_tells_what_arrived(
    session: aiohttp.ClientSession, presigned: Any, clip: bytes, stored: Stored
) -> None:
    status, body = await put(session, presigned["upload_url"], clip)
    assert status == 200
    assert body["data"]["storage_path"] == presigned["storage_path"]
    assert body["data"]["size_bytes"] == len(clip)
    [file] = stored()
    assert file.read_bytes() == clip


async def test_a_browser_on_another_site_may_send(
    session: aiohttp.ClientSession, presigned: Any
) -> None:
    asked = {"Origin": "https://shop.example.com", "Access-Control-Request-Method": "PUT"}
    async with session.options(presigned["upload_url"], headers=asked) as answer:
        assert answer.status == 204
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]


async def test_sent_again_before_its_use_it_replaces_the_earlier(
    session: aiohttp.ClientSession, presigned: Any, clip: bytes, stored: Stored
) -> None:
    assert (await put(session, presigned["upload_url"], b"half a fi"))[0] == 200
    assert (await put(session, presigned["upload_url"], clip))[0] == 200
    assert [file.read_bytes() for file in stored()] == [clip]


async def test_after_its_use_it_takes_nothing(
    session: aiohttp.ClientSession, presigned: Any, conn: Connection, stored: Stored
) -> None:
    await conn.execute("DELETE FROM presigned_uploads")
    used = await refused(session, presigned["upload_url"], b"x")
    assert used == (409, "UPLOAD_ALREADY_USED")
    assert stored() == []


async def test_what_arrives_while_it_is_used_is_refused_and_deleted(
    session: aiohttp.ClientSession,
    presigned: Any,
    conn: Connection,
    stored: Stored,
    settings: Settings,
) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield bytes(12 << 20)
        await until_it_is_written(settings)
        await conn.execute("DELETE FROM presigned_uploads")
        yield b"end"

    used = await refused(session, presigned["upload_url"], slowly())
    assert used == (409, "UPLOAD_ALREADY_USED")
    assert stored() == []


async def until_it_is_written(settings: Settings) -> None:
    """Wait until part of an upload lies on disk under its temporary name."""
    quarantine = settings.home / "media" / "quarantine"
    async with asyncio.timeout(30):
        while not list(quarantine.rglob("*#*")):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "change",
    [
        lambda permit: permit[:-1],
        lambda permit: permit[:-2] + ("AA" if permit[-2:] != "AA" else "BB"),
        lambda permit: ("B" if permit[0] == "A" else "A") + permit[1:],
        lambda permit: permit.partition(".")[0],
        lambda _: "x",
        lambda _: "%C3%A9.%00",
        lambda _: "a.",
    ],
)
async def test_an_address_that_was_changed_opens_nothing(
    session: aiohttp.ClientSession, presigned: Any, change: Callable[[str], str], stored: Stored
) -> None:
    base, _, permit = presigned["upload_url"].rpartition("/")
    changed = await refused(session, f"{base}/{change(permit)}", b"x")
    assert changed == (403, "UPLOAD_URL_INVALID")
    assert stored() == []


def permit_of(world: World, **more: Any) -> Permit:
    facts = {
        "storage_key": make_key(world.acme.hex),
        "content_type": "video/mp4",
        "max_bytes": 100,
        "expires_at": int(time.time()) + 900,
    }
    return Permit(**{**facts, **more})


async def test_an_address_lasts_as_long_as_it_says(
    session: aiohttp.ClientSession, server: str, world: World, ports: Ports
) -> None:
    late = sign_permit(ports.vault, permit_of(world, expires_at=int(time.time())))
    assert await refused(session, f"{server}/uploads/{late}", b"x") == (403, "UPLOAD_URL_EXPIRED")


def test_a_permit_says_what_was_signed(world: World, ports: Ports) -> None:
    permit = permit_of(world, expires_at=1000)
    assert read_permit(ports.vault, sign_permit(ports.vault, permit), now=999.9) == permit


@pytest.mark.parametrize("sent", ["text/html", "image/jpeg", "video/mp4; codecs=avc1", ""])
async def test_takes_only_the_type_that_was_signed(
    session: aiohttp.ClientSession, presigned: Any, sent: str, stored: Stored
) -> None:
    headers = {"Content-Type": sent}
    other = await refused(session, presigned["upload_url"], b"x", headers)
    assert other == (415, "UNSUPPORTED_CONTENT_TYPE")
    assert stored() == []


@pytest.mark.parametrize("announced", [True, False])
async def test_takes_no_more_than_was_signed(
    settings: Settings, world: World, bundle: UUID, stored: Stored, *, announced: bool
) -> None:
    small = msgspec.structs.replace(settings, video_max_bytes=100_000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(10_000)

    async with (
        serving(small) as address,
        Client(address, world.alice_key) as alice,
        aiohttp.ClientSession() as session,
    ):
        asked = {"filename": "a.mp4", "bundle_id": str(bundle)}
        url = (await alice.post("/upload/video", asked)).data["upload_url"]
        content = bytes(300_000) if announced else chunks()
        assert await refused(session, url, content) == (400, "FILE_TOO_LARGE")
    assert stored() == []


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_sender_that_hangs_up_leaves_nothing(
    presigned: Any, stored: Stored, settings: Settings, *, chunked: bool
) -> None:
    path = presigned["upload_url"].partition(f":{settings.port}")[2]
    length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 20000000"
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\n{length}\r\n\r\n"
    part = bytes(12 << 20)
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
    writer.write(head.encode() + (b"%x\r\n%s\r\n" % (len(part), part) if chunked else part))
    await until_it_is_written(settings)
    async with asyncio.timeout(30):
        writer.close()
        await writer.wait_closed()
        while stored():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert await reader.read() == b""


async def test_nothing_in_quarantine_is_served(
    session: aiohttp.ClientSession, server: str, presigned: Any, clip: bytes
) -> None:
    assert (await put(session, presigned["upload_url"], clip))[0] == 200
    path = presigned["storage_path"]
    for url in (
        presigned["public_url"],
        f"{server}/media/quarantine/{path}",
        f"{server}/media/{path}/../../quarantine/{path}",
        presigned["upload_url"],
    ):
        async with session.get(url) as answer:
            assert answer.status in {404, 405}, url


def test_no_address_is_logged() -> None:
    assert _loggable("/uploads/a.b") == "/uploads/…"
    assert _loggable("/api/ext/upload/video") == "/api/ext/upload/video"
