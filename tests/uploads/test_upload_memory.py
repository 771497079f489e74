"""Large files pass through the server without being held in its memory."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import UUID

import aiohttp

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tests.lib.memory import PeakMemory
from tests.orders.walk import ordered, video
from tests.uploads.forms import form
from tokportal_server.entry.worker import job_runner
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.rules import OrderRules

MIB = 1 << 20
PADDING = 100 * MIB


def padded(clip: bytes) -> bytes:
    """Begin a film that is followed by ``PADDING`` bytes of a box that players pass over."""
    return clip + struct.pack(">I4s", PADDING + 8, b"free")


async def film(clip: bytes) -> AsyncIterator[bytes]:
    yield padded(clip)
    for _ in range(PADDING // MIB):
        yield bytes(MIB)


async def test_a_hundred_megabytes_go_in_and_out_in_constant_memory(
    settings: Settings, world: World, bundle: UUID, clip: bytes
) -> None:
    body, headers = form(b"#FILE#", {"bundle_id": str(bundle)})
    before, _, after = body.partition(b"#FILE#")
    head = padded(clip)

    async def sent() -> AsyncIterator[bytes]:
        yield before
        async for chunk in film(clip):
            yield chunk
        yield after

    # Server and client are one process here, so what either holds is counted.
    async with serving(settings) as address, aiohttp.ClientSession() as session:
        url = f"{address}/api/ext/upload/video/direct"
        keyed = headers | {"X-API-Key": world.alice_key}
        with PeakMemory() as memory:
            async with session.post(url, data=sent(), headers=keyed) as answer:
                assert answer.status == 200, await answer.text()
                data = (await answer.json())["data"]
            digest, size = sha256(), 0
            async with session.get(data["public_url"]) as answer:
                async for chunk in answer.content.iter_chunked(MIB):
                    digest.update(chunk)
                    size += len(chunk)
                    await asyncio.sleep(0)
    assert size == data["size_bytes"] == len(head) + PADDING
    assert digest.hexdigest() == data["sha256"]
    assert memory.growth < 64 * MIB, memory.growth


async def test_a_hundred_megabytes_are_put_checked_and_stored_in_constant_memory(
    settings: Settings, world: World, clip: bytes, ports: Ports
) -> None:
    async with (
        serving(settings) as address,
        Client(address, world.alice_key) as alice,
        aiohttp.ClientSession() as session,
    ):
        bundle = await ordered(alice, videos=1)
        asked = {"filename": "a.mp4", "bundle_id": bundle}
        presigned = (await alice.post("/upload/video", asked)).data
        with PeakMemory() as memory:
            async with session.put(
                presigned["upload_url"], data=film(clip), headers=presigned["headers"]
            ) as answer:
                assert answer.status == 200, await answer.text()
            content = video(video_url=presigned["storage_path"])
            await alice.put(f"/bundles/{bundle}/videos/1", content)
            await job_runner(ports, OrderRules.of(settings)).drain()
        slot = (await alice.get(f"/bundles/{bundle}/videos/1")).data
    assert slot["media_status"] == "ready"
    assert slot["media"][0]["size_bytes"] == len(padded(clip)) + PADDING
    assert memory.growth < 64 * MIB, memory.growth
