"""Large files pass through the server without being held in its memory."""

from __future__ import annotations

import asyncio
import struct
from hashlib import sha256
from uuid import UUID

import aiohttp

from tests.cast import World
from tests.conftest import serving
from tests.lib.memory import PeakMemory
from tests.uploads.forms import form
from tokportal_server.lib.settings import Settings

MIB = 1 << 20
PADDING = 100 * MIB


async def test_a_hundred_megabytes_go_in_and_out_in_constant_memory(
    settings: Settings, world: World, bundle: UUID, clip: bytes
) -> None:
    body, headers = form(b"#FILE#", {"bundle_id": str(bundle)})
    before, _, after = body.partition(b"#FILE#")
    # A `free` box is part of the format: whoever plays the film passes over it.
    head = clip + struct.pack(">I4s", PADDING + 8, b"free")

    async def sent() -> object:
        yield before + head
        for _ in range(PADDING // MIB):
            yield bytes(MIB)
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
