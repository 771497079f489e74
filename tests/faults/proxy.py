"""A proxy in front of PostgreSQL's socket: what a bad network does to connections, at will."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_CHUNK = 64 * 1024


class Proxy:
    """Listens on 127.0.0.1 and passes everything on to a Unix socket.

    ``delay`` is how many seconds each piece waits on its way; while ``flowing`` is cleared nothing
    gets through, and nobody is told; while ``answering`` is, what PostgreSQL says does not;
    while ``refusing``, new connections are closed at once.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._writers: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._server: asyncio.Server | None = None
        self.delay = 0.0
        self.refusing = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.answering = asyncio.Event()
        self.answering.set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """Listen no more, and hang up."""
        assert self._server is not None
        self._server.close()
        self.heal()
        self.hang_up()

    def heal(self) -> None:
        """Be an ordinary network again."""
        self.delay = 0.0
        self.refusing = False
        self.flowing.set()
        self.answering.set()

    def hang_up(self, share: float = 1.0, chance: random.Random | None = None) -> int:
        """Cut a share of the connections, in the middle of whatever they are saying."""
        chance = chance or random.Random(0)
        doomed = [pair for pair in self._writers if chance.random() < share]
        for pair in doomed:
            for writer in pair:
                writer.transport.abort()
        return len(doomed)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.refusing:
                raise ConnectionRefusedError
            beyond_reader, beyond = await asyncio.open_unix_connection(str(self._target))
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, beyond)
        self._writers.append(pair)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, beyond, self.flowing))
                group.create_task(self._pass_on(beyond_reader, writer, self.answering))
        finally:
            self._writers.remove(pair)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
    ) -> None:
        """Copy until either side ends; then end the other."""
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self.flowing.wait()
                await gate.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def through(dsn: str, port: int) -> str:
    """Give the address of a database behind a proxy, from its address at the socket."""
    parts = urlsplit(dsn)
    login = f"{parts.username}:{parts.password}"
    return f"postgresql://{login}@127.0.0.1:{port}{parts.path}?sslmode=disable"


@asynccontextmanager
async def proxying(dsn: str) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the socket that the address names, while the block lasts."""
    where = parse_qs(urlsplit(dsn).query)
    proxy = Proxy(Path(where["host"][0]) / f".s.PGSQL.{where['port'][0]}")
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
