"""No byte is free where uploads go: a refusal that says so, and nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.client import Client
from tests.faults.disk import SmallDisk, small_disk
from tests.orders.walk import ordered
from tests.uploads.forms import form
from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.lib.db import Connection


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "small", megabytes=20) as made:
        if not made.mounted:
            pytest.skip("nothing can be mounted here")
        yield made


@pytest.fixture
def home(disk: SmallDisk) -> Path:
    """The server's home, with its media."""
    return disk.place


async def test_an_upload_is_refused_for_now_and_the_same_call_succeeds_later(
    alice: Client, disk: SmallDisk, conn: Connection, tmp_path: Path
) -> None:
    bundle = await ordered(alice)
    video = tmp_path / "sample.mp4"
    write_sample_video(video)
    content = video.read_bytes()
    disk.fill()
    body, headers = form(content, {"bundle_id": bundle})
    headers["Idempotency-Key"] = "one"
    refused = await alice.post("/upload/video/direct", body=body, headers=headers)
    assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) >= 1
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 0
    disk.free()
    body, more = form(content, {"bundle_id": bundle})
    sent = await alice.post("/upload/video/direct", body=body, headers=headers | more)
    assert sent.status == 200
    async with aiohttp.ClientSession() as session, session.get(sent.data["public_url"]) as reply:
        assert (reply.status, await reply.read()) == (200, content)
    assert not list(disk.place.rglob("*#*"))
