"""Receivers that never end, with the real limits: attempts end in time, in flat memory."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import AsyncExitStack

import pytest

from tests.lib.memory import PeakMemory
from tests.lib.outbound_rig import Script, receiver, trickling
from tests.lib.test_outbound_faults import bad_chunking, close_early
from tests.webhooks.rig import Rig
from tests.webhooks.test_fault_matrix import endless_body
from tokportal_server.webhooks.sending import TOTAL_SECONDS

MIB = 1 << 20
BOMB = gzip.compress(bytes(100 * MIB), compresslevel=9)
# For the answer to be read and the time to be taken after the limit has struck.
SLACK_MS = 500


async def bomb(_: bytes, writer: asyncio.StreamWriter) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
    writer.write(head.encode() + BOMB)
    await writer.drain()


SCRIPTS: dict[str, Script] = {
    "endless": endless_body,
    "trickle": trickling(1.0),
    "bomb": bomb,
    "chunking": bad_chunking,
    "early": close_early,
}
# An answer of 200 whose kept part was read is a success, whatever would have followed.
EXPECTED = {
    "endless": None,
    "trickle": "timeout",
    "bomb": None,
    "chunking": "refused",
    "early": "refused",
}


@pytest.mark.hazard(17)
@pytest.mark.proof
async def test_no_receiver_keeps_an_attempt_longer_than_fifteen_seconds_or_fills_memory(
    rig: Rig,
) -> None:
    assert TOTAL_SECONDS == 15.0
    async with AsyncExitStack() as stack:
        paths = {}
        for name, script in SCRIPTS.items():
            port = await stack.enter_async_context(receiver(script))
            await rig.endpoint(f"http://127.0.0.1:{port}/{name}")
            paths[f"http://127.0.0.1:{port}/{name}"] = name
        await rig.emit()
        with PeakMemory() as memory:
            await rig.deliver()
    finished = [row for row in await rig.deliveries() if row["status"] != "pending"]
    assert {paths[row["url"]]: row["error_class"] for row in finished} == EXPECTED
    assert all(row["duration_ms"] <= TOTAL_SECONDS * 1000 + SLACK_MS for row in finished)
    assert all(len((row["response_body"] or "").encode()) <= 2048 for row in finished)
    assert memory.growth < 16 * MIB, memory.growth
