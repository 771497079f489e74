"""External media from hosts that mean harm, and from those that share files by links for people."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cast import World
from tests.lib.memory import PeakMemory
from tests.lib.outbound_rig import (
    PUBLIC,
    FakeNames,
    Script,
    Sockets,
    certificate,
    receiver,
    trickling,
)
from tests.uploads import media
from tests.uploads.test_fetch import Rig, Site, answer, rig, site
from tokportal_server.lib.db import Connection
from tokportal_server.lib.outbound import Outbound
from tokportal_server.uploads.jobs import ATTEMPTS

__all__ = ["rig"]
MIB = 1 << 20
Stored = Callable[[], list[Path]]


@asynccontextmanager
async def internet(
    rig: Rig, folder: Path, script: Script, *hosts: str, answers: Sequence[Sequence[str]] = ()
) -> AsyncIterator[Sockets]:
    """Put ``script`` behind a public host over TLS, for the rig's worker; note who is dialled."""
    server_tls, client_tls = certificate(hosts[0], folder)
    names = FakeNames({host: answers or [[PUBLIC]] for host in hosts})
    async with receiver(script, tls=server_tls) as port:
        sockets = Sockets({443: port})
        async with Outbound(
            rig.ports.outbound_policy, resolver=names, tls=client_tls, open_socket=sockets
        ) as outbound:
            before, rig.ports = rig.ports, replace(rig.ports, outbound=outbound)
            try:
                yield sockets
            finally:
                rig.ports = before


@pytest.mark.parametrize(
    ("link", "host", "asked"),
    [
        (
            "https://drive.google.com/file/d/1aB-c_D/view?usp=sharing",
            "drive.usercontent.google.com",
            b"GET /download?id=1aB-c_D&export=download&confirm=t ",
        ),
        (
            "https://www.dropbox.com/scl/fi/abc/clip.mp4?rlkey=k&dl=0",
            "www.dropbox.com",
            b"GET /scl/fi/abc/clip.mp4?rlkey=k&dl=1 ",
        ),
    ],
)
async def test_a_share_link_brings_the_file(
    rig: Rig, tmp_path: Path, clip: bytes, link: str, host: str, asked: bytes
) -> None:
    script = Site(answer(clip))
    async with internet(rig, tmp_path, script, host) as sockets:
        await rig.link(link, kind="video")
        await rig.work()
    assert (await rig.shown()).status == "ready"
    assert sockets.dialled == [PUBLIC]
    assert script.asked[0].startswith(asked)


async def test_a_page_in_the_place_of_a_shared_file_is_named_as_such(
    rig: Rig, tmp_path: Path, stored: Stored
) -> None:
    page = b"<!DOCTYPE html><title>Google Drive - Virus scan warning</title><form>"
    script = Site(answer(page))
    async with internet(rig, tmp_path, script, "drive.usercontent.google.com"):
        await rig.link("https://drive.google.com/file/d/1aB-c_D/view", kind="video")
        await rig.work()
    code, message = await rig.error()
    assert code == "UNSUPPORTED_MEDIA_TYPE"
    assert message.startswith("drive.google.com: ")
    assert "everybody who has the link" in message
    assert len(script.asked) == 1
    assert stored() == []


async def test_a_name_that_changes_to_a_private_address_is_not_dialled_again(
    rig: Rig, tmp_path: Path
) -> None:
    script = Site(answer(b"", status="503 Busy"))
    rounds = [[PUBLIC], ["127.0.0.1"]]
    async with internet(rig, tmp_path, script, "cdn.example.com", answers=rounds) as sockets:
        await rig.link("https://cdn.example.com/a.jpg")
        await rig.work()
    assert (await rig.error())[0] == "FETCH_BLOCKED"
    assert sockets.dialled == [PUBLIC]


async def test_a_name_with_one_private_address_is_not_dialled_at_all(
    rig: Rig, tmp_path: Path
) -> None:
    mixed = [[PUBLIC, "10.0.0.1"]]
    script = Site(answer(media.jpeg()))
    async with internet(rig, tmp_path, script, "cdn.example.com", answers=mixed) as sockets:
        await rig.link("https://cdn.example.com/a.jpg")
        await rig.work()
    assert (await rig.error())[0] == "FETCH_BLOCKED"
    assert sockets.dialled == []


@pytest.mark.hazard(20)
@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1/a.jpg",
        "https://[::1]/a.jpg",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/a.jpg",
        "https://metadata.google.internal/",
        "http://cdn.example.com/a.jpg",
        "file:///etc/passwd",
        "//10.0.0.1/a.jpg",
    ],
)
async def test_a_redirect_to_somewhere_private_is_not_followed(
    rig: Rig, tmp_path: Path, location: str
) -> None:
    # The rig's own settings let loopback through; a customer's do not.
    strict = replace(rig.ports.outbound_policy, allow_loopback=False)
    rig.ports = replace(rig.ports, outbound_policy=strict)
    away = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    async with internet(rig, tmp_path, Site(away.encode()), "cdn.example.com") as sockets:
        await rig.link("https://cdn.example.com/a.jpg")
        await rig.work()
    assert (await rig.error())[0] == "FETCH_BLOCKED"
    assert sockets.dialled == [PUBLIC]


async def test_a_compressed_bomb_is_never_expanded(rig: Rig, stored: Stored) -> None:
    bomb = gzip.compress(bytes(100 * MIB), compresslevel=9)
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: %d\r\n\r\n" % len(bomb)
    )
    async with site(Site(head + bomb)) as url:
        await rig.link(url)
        with PeakMemory() as memory:
            await rig.work()
    assert (await rig.error())[0] == "UNSUPPORTED_MEDIA_TYPE"
    assert memory.growth < 50 * MIB
    assert stored() == []


async def test_an_image_of_many_pixels_is_unfolded_in_a_child_alone(rig: Rig) -> None:
    # As many as are taken, from six kilobytes.
    async with site(Site(answer(media.png_bomb(7000)))) as url:
        await rig.link(url)
        with PeakMemory() as memory:
            await rig.work()
    assert (await rig.shown()).status == "ready"
    assert memory.growth < 32 * MIB


@pytest.mark.parametrize("announced", [1000, 10])
async def test_a_length_that_is_wrong_is_no_file(rig: Rig, stored: Stored, announced: int) -> None:
    async with site(Site(answer(media.jpeg(), length=announced + len(media.jpeg())))) as url:
        await rig.link(url)
        await rig.work()
    assert (await rig.error())[0] == "FETCH_REFUSED"
    assert await rig.conn.fetchval("SELECT attempts FROM media") == ATTEMPTS
    assert stored() == []


async def test_a_trickle_is_given_up_when_its_time_is_over(rig: Rig, stored: Stored) -> None:
    async with site(trickling(0.01, length=1_000_000)) as url:
        await rig.link(url)
        await rig.work(seconds=0.3)
    assert (await rig.error())[0] == "FETCH_TIMEOUT"
    assert stored() == []


async def test_how_much_has_arrived_is_seen_while_the_rest_is_on_its_way(
    rig: Rig, conn: Connection, world: World
) -> None:
    photo = media.jpeg(size=(400, 300))
    seen = asyncio.Event()

    async def halting(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", length=len(photo)) + photo[:100])
        await writer.drain()
        await seen.wait()
        writer.write(photo[100:])
        await writer.drain()

    async with site(halting) as url, asyncio.timeout(30):
        await rig.link(url)
        working = asyncio.create_task(rig.work(progress_seconds=0))
        while not (await rig.shown()).size_bytes:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        shown = await rig.shown()
        assert (shown.status, shown.size_bytes, shown.sha256) == ("fetching", 100, None)
        seen.set()
        await working
    assert (await rig.shown()).status == "ready"
    assert await conn.fetchval("SELECT count(*) FROM uploads WHERE workspace_id = $1", world.acme)
