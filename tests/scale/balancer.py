"""A load balancer: each new connection goes to the next server, one that is taken out gets none."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Balancer:
    """Hands TCP connections round; callers that close after each request reach all in turn."""

    def __init__(self, servers: list[int]) -> None:
        self._servers = list(servers)
        self._open: Counter[int] = Counter()
        self._closed = asyncio.Condition()
        self.served: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.address = ""

    async def take_out(self, server: int) -> None:
        """Send nothing more there, and wait until what was sent is answered."""
        self._servers.remove(server)
        async with self._closed:
            await self._closed.wait_for(lambda: not self._open[server])

    def put_in(self, server: int) -> None:
        """Send something there again."""
        self._servers.append(server)

    async def hand_over(
        self, caller: asyncio.StreamReader, to_caller: asyncio.StreamWriter
    ) -> None:
        """Carry one connection until either side ends."""
        server = self._next()
        self._open[server] += 1
        try:
            answer, to_server = await asyncio.open_connection("127.0.0.1", server)
            self.served[server] += 1
            await asyncio.gather(_carry(caller, to_server), _carry(answer, to_caller))
        except OSError:
            # The caller sees a connection that breaks off, and a test fails that expects none.
            self.refused[server] += 1
        finally:
            to_caller.close()
            async with self._closed:
                self._open[server] -= 1
                self._closed.notify_all()

    def _next(self) -> int:
        server = self._servers.pop(0)
        self._servers.append(server)
        return server


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    # Also a caller who has left is passed on, and a server that has died.
    writer.close()


@asynccontextmanager
async def balancing(port: int, servers: list[int]) -> AsyncIterator[Balancer]:
    """Listen on the port while the block runs."""
    balancer = Balancer(servers)
    server = await asyncio.start_server(balancer.hand_over, "127.0.0.1", port)
    balancer.address = f"http://127.0.0.1:{port}"
    async with server:
        yield balancer
