"""Bytes sent just as they are to the API's own process, and its answers taken apart again."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import free_port
from tests.lib.processes import environment
from tests.lib.waiting import SAFETY_NET, until_it_listens

LAST_WORDS = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[^\r\n]*\r\n")


@dataclass(frozen=True)
class Api:
    """A running API process: where it listens, and which process answers."""

    port: int
    worker: psutil.Process

    @property
    def address(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def api_process(home: Path, dsn: str, **settings: str) -> Iterator[Api]:
    """Run the API as the supervisor does, in a process of its own, until the block ends."""
    port = free_port()
    ours = {
        "TOKPORTAL_HOME": str(home),
        "TOKPORTAL_DATABASE_URL": dsn,
        "TOKPORTAL_PORT": str(port),
        "TOKPORTAL_LOG_LEVEL": "error",
    }
    child = ["-m", "tokportal_server.entry.child", "api", "--parent", str(os.getpid())]
    with subprocess.Popen([sys.executable, *child], env=environment(**ours | settings)) as process:
        try:
            until_it_listens(port, process)
            family = psutil.Process(process.pid).children(recursive=True)
            yield Api(port, max(family, key=lambda one: one.memory_info().rss))
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(SAFETY_NET)
            process.kill()


@dataclass(frozen=True)
class Answered:
    """One answer of a connection: its status, and everything that came with it."""

    status: int
    content: bytes


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def said(api: Api, raw: bytes) -> list[Answered]:
    """Send bytes in one connection, with a last request that ends it; give all answers."""
    async with connected(api) as (reader, writer), asyncio.timeout(SAFETY_NET):
        received = bytearray()
        # A server that closes in the middle of what it refuses may reset the connection.
        with suppress(OSError):
            writer.write(raw + LAST_WORDS)
            await writer.drain()
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                received += piece
    return answers_in(bytes(received))


def answers_in(received: bytes) -> list[Answered]:
    """Take apart what a connection gave; heads of answers begin lines of their own."""
    starts = [found.start() for found in _STATUS.finditer(received)]
    ends = [*starts[1:], len(received)]
    return [
        Answered(int(received[start + 9 : start + 12]), received[start:end])
        for start, end in zip(starts, ends, strict=False)
    ]


async def is_served(api: Api) -> bool:
    """Tell whether somebody else gets an answer."""
    answers = await said(api, b"")
    return [one.status for one in answers] == [200]
