"""A receiver of webhooks: a process that answers 200 and remembers when each event first came."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import aiohttp
import uvloop

from harness.stage import listening
from tokportal_server.webhooks.sending import ID_HEADER

# What is posted there is taken, and never answered.
HANGING: Final = "/hanging"


class Receiver(asyncio.Protocol):
    """One connection; ``arrivals`` is shared by all."""

    arrivals: dict[str, float]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        # uvloop's transport is none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = bytearray()
        self._began = 0.0

    def data_received(self, data: bytes) -> None:
        """Answer each request when it is whole."""
        if not self._buffer:
            self._began = time.time()
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1").lower()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
            whole = end + 4 + int(fields.get("content-length", 0))
            if len(self._buffer) < whole:
                return
            del self._buffer[:whole]
            if head.startswith(f"post {HANGING} "):
                return
            self._answer(fields.get(ID_HEADER.lower()))

    def _answer(self, event_id: str | None) -> None:
        body = b""
        if event_id is None:
            body = json.dumps(self.arrivals).encode()
            self.arrivals.clear()
        else:
            self.arrivals.setdefault(event_id, self._began)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def receive(port: int) -> None:
    """Listen until the process is ended."""
    Receiver.arrivals = {}
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def receiver() -> Iterator[str]:
    """Run the receiver; give its address."""
    with listening("harness.receiver") as port:
        yield f"http://127.0.0.1:{port}"


async def arrivals(address: str) -> dict[str, float]:
    """Ask the receiver when what came, and let it forget."""
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        times: dict[str, float] = json.loads(await answer.read())
        return times


if __name__ == "__main__":
    uvloop.run(receive(int(sys.argv[1])))
