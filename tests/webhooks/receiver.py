"""A receiver of webhooks on loopback, which remembers what came and answers as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDictProxy

# No test waits this long unless something is broken.
SAFETY_NET = 120.0


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The envelope."""
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded

    @property
    def event_id(self) -> str:
        """The id in the header."""
        return self.headers["TokPortal-Event-Id"]


def signed_at(received: Received) -> int:
    """Give the Unix second of the signature."""
    return int(received.headers["TokPortal-Signature"].partition(",")[0].removeprefix("t="))


async def second_over(received: Received) -> None:
    """Wait until a signature of now has another time than that of a request: whole seconds."""
    await asyncio.sleep(max(0.0, signed_at(received) + 1.01 - time.time()))


Behaviour = Callable[[Received], Awaitable[web.Response]]


def answering(
    status: int, *, headers: Mapping[str, str] | None = None, text: str = ""
) -> Behaviour:
    """Answer everything alike."""

    async def behave(_: Received) -> web.Response:
        return web.Response(status=status, headers=headers, text=text)

    return behave


@dataclass
class Receiver:
    """Listens on ``url``; ``behave`` may be changed at any time."""

    url: str = ""
    behave: Behaviour = field(default_factory=lambda: answering(200))
    received: list[Received] = field(default_factory=list)
    arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Remember a request and answer it."""
        received = Received(request.headers, await request.read())
        async with self.arrival:
            self.received.append(received)
            self.arrival.notify_all()
        return await self.behave(received)

    async def got(self, count: int) -> list[Received]:
        """Wait until so many requests came."""
        async with asyncio.timeout(SAFETY_NET), self.arrival:
            await self.arrival.wait_for(lambda: len(self.received) >= count)
        return self.received

    @property
    def event_ids(self) -> list[str]:
        """The ids of what came, in order of arrival."""
        return [received.event_id for received in self.received]


class Hang:
    """Answers nobody until told to."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def __call__(self, _: Received) -> web.Response:
        """Wait, then answer 200."""
        await self.over.wait()
        return web.Response()


@asynccontextmanager
async def receiving(behave: Behaviour | None = None) -> AsyncIterator[Receiver]:
    """Listen on a free port of 127.0.0.1."""
    receiver = Receiver()
    if behave is not None:
        receiver.behave = behave
    runner = web.ServerRunner(web.Server(receiver.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hooks"
    try:
        yield receiver
    finally:
        await runner.cleanup()
