"""GET /media/{key} over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest
from yarl import URL

from tests.client import Client
from tests.uploads.test_upload_direct import VIDEO, upload
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import open_store


@dataclass(frozen=True)
class File:
    """A stored clip: its public address, its key and its bytes."""

    url: str
    key: str
    etag: str
    content: bytes


@pytest.fixture
async def file(alice: Client, bundle: UUID, clip: bytes) -> File:
    fields = {"bundle_id": str(bundle)}
    data = (await upload(alice, VIDEO, clip, fields, filename="fünf.html")).data
    return File(data["public_url"], data["storage_path"], f'"{data["sha256"]}"', clip)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@dataclass(frozen=True)
class Got:
    status: int
    headers: Any
    body: bytes


async def get(
    session: aiohttp.ClientSession, url: str | URL, method: str = "GET", **headers: str
) -> Got:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.request(method, url, headers=sent) as answer:
        return Got(answer.status, answer.headers, await answer.read())


async def test_serves_the_whole_file_without_a_key_and_harmless(
    session: aiohttp.ClientSession, file: File
) -> None:
    got = await get(session, file.url)
    assert (got.status, got.body) == (200, file.content)
    assert got.headers["Content-Type"] == "video/mp4"
    assert got.headers["Content-Length"] == str(len(file.content))
    assert got.headers["ETag"] == file.etag
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert got.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert got.headers.getall("X-Content-Type-Options") == ["nosniff"]
    assert got.headers["X-TokPortal-Request-ID"]
    # Named by what it is, not by what its sender called it.
    assert got.headers["Content-Disposition"] == "inline; filename*=UTF-8''f%C3%BCnf.mp4"


async def test_head_gives_the_headers_alone(session: aiohttp.ClientSession, file: File) -> None:
    got = await get(session, file.url, "HEAD", Range="bytes=0-1")
    assert (got.status, got.body) == (200, b"")
    assert got.headers["Content-Length"] == str(len(file.content))
    assert got.headers["Content-Type"] == "video/mp4"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-100", -100, None)],
)
async def test_serves_the_part_that_is_asked_for(
    session: aiohttp.ClientSession, file: File, asked: str, start: int, end: int | None
) -> None:
    got = await get(session, file.url, Range=asked)
    assert (got.status, got.body) == (206, file.content[start:end])
    first = start % len(file.content)
    last = first + len(got.body) - 1
    assert got.headers["Content-Range"] == f"bytes {first}-{last}/{len(file.content)}"
    assert got.headers["Content-Length"] == str(len(got.body))


async def test_a_range_behind_the_end_is_416_with_the_length(
    session: aiohttp.ClientSession, file: File
) -> None:
    got = await get(session, file.url, Range=f"bytes={len(file.content)}-")
    assert got.status == 416
    assert got.headers["Content-Range"] == f"bytes */{len(file.content)}"
    assert b"RANGE_NOT_SATISFIABLE" in got.body


async def test_a_range_of_another_version_gets_the_whole(
    session: aiohttp.ClientSession, file: File
) -> None:
    got = await get(session, file.url, Range="bytes=0-9", If_Range='"another"')
    assert (got.status, got.body) == (200, file.content)
    got = await get(session, file.url, Range="bytes=0-9", If_Range=file.etag)
    assert (got.status, got.body) == (206, file.content[:10])


async def test_a_file_that_is_known_is_not_sent_again(
    session: aiohttp.ClientSession, file: File
) -> None:
    got = await get(session, file.url, If_None_Match=file.etag)
    assert (got.status, got.body) == (304, b"")
    assert got.headers["ETag"] == file.etag


async def test_an_unknown_address_is_404_in_json(
    session: aiohttp.ClientSession, file: File
) -> None:
    base, _, key = file.url.partition("/media/")
    other_workspace = "0" * 32 + key[32:]
    for path in (
        key + "x",
        other_workspace,
        "",
        "x",
        ".hidden",
        "%2e%2e/%2e%2e/etc/passwd",
        f"{key[:32]}/%2e%2e/{key}",
        "%00",
        key.upper(),
    ):
        got = await get(session, URL(f"{base}/media/{path}", encoded=True))
        assert (path, got.status) == (path, 404)
        assert got.headers["Content-Type"] == "application/json"
        assert b'"NOT_FOUND"' in got.body


async def test_a_lost_object_is_404(
    session: aiohttp.ClientSession, file: File, settings: Settings
) -> None:
    await open_store(settings.storage_url, home=settings.home).delete(file.key)
    assert (await get(session, file.url)).status == 404


async def test_only_get_and_head_are_taken(session: aiohttp.ClientSession, file: File) -> None:
    assert (await get(session, file.url, "DELETE")).status == 405


@pytest.mark.hazard(37)
@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/javascript"])
async def test_no_row_can_make_a_file_into_a_page(
    conn: Connection,
    file: File,  # noqa: ARG001 - the row to be changed
    kind: str,
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await conn.execute("UPDATE uploads SET content_type = $1", kind)
