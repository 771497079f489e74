"""The world outside: receivers of webhooks, a host of media, and a platform. Each can fall ill."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from aiohttp import web
from tokportal import verify_webhook_signature

from tests.analytics.providers.platforms import FakeTikTok, running
from tests.faults.customers import unlike_others

Illness = Literal["hangs", "refuses", "fails", "drips"]


@dataclass
class Patient:
    """Something that is well, or ill in one way."""

    illness: Illness | None = None
    recovered: asyncio.Event = field(default_factory=asyncio.Event)

    def fall_ill(self, illness: Illness) -> None:
        """Do not serve any more as one should."""
        self.recovered.clear()
        self.illness = illness

    def recover(self) -> None:
        """Be well; whoever waits is let go."""
        self.illness = None
        self.recovered.set()

    async def suffer(self, request: web.Request) -> web.StreamResponse | None:
        """Answer as the illness has it; None if well."""
        match self.illness:
            case None:
                return None
            case "hangs":
                await self.recovered.wait()
                return None
            case "refuses":
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            case "fails":
                return web.Response(status=503, text="not now")
            case "drips":
                return await self._drip(request)

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        await response.prepare(request)
        while not self.recovered.is_set():
            await response.write(b"\0")
            await asyncio.sleep(0.5)
        return response


@dataclass
class Inbox(Patient):
    """One endpoint of a workspace's: bodies by event id, and what was wrong with them."""

    secret: str = ""
    bodies: dict[str, str] = field(default_factory=dict)
    came: int = 0
    broken: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Check one delivery as an integrator would."""
        body = await request.read()
        if (answer := await self.suffer(request)) is not None:
            return answer
        signature = request.headers.get("TokPortal-Signature", "")
        if self.secret and not verify_webhook_signature(body, signature, self.secret):
            self.broken.append(f"a delivery that is not signed right: {body[:100]!r}")
            return web.Response(status=400)
        event = json.loads(body)["id"]
        digest = sha256(body).hexdigest()
        if self.bodies.setdefault(event, digest) != digest:
            self.broken.append(f"event {event} came with two bodies")
        self.came += 1
        return web.Response(status=204)


@dataclass
class Outside:
    """Everything beyond the installation; ``url`` is where it listens."""

    sample: bytes
    url: str = ""
    media: Patient = field(default_factory=Patient)
    platform: FakeTikTok = field(default_factory=FakeTikTok)
    inboxes: dict[str, Inbox] = field(default_factory=dict)
    # Digests of the media that were served, by path.
    served: dict[str, str] = field(default_factory=dict)
    _gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def heal(self) -> None:
        """Let everybody be well."""
        for patient in (self.media, *self.inboxes.values()):
            patient.recover()
        self.free_platform()

    def hang_platform(self) -> None:
        """Let the platform answer nobody."""
        self._gate = asyncio.Event()
        self.platform.gates = [(asyncio.Event(), self._gate) for _ in range(1000)]

    def free_platform(self) -> None:
        """Let it answer again."""
        self.platform.gates = []
        self._gate.set()

    async def take_hook(self, request: web.Request) -> web.StreamResponse:
        """Take a webhook; one for nobody is for an endpoint of no interest."""
        inbox = self.inboxes.get(request.match_info["name"])
        return web.Response(status=204) if inbox is None else await inbox.take(request)

    async def give_media(self, request: web.Request) -> web.StreamResponse:
        """Give a video that is another one for each path, and always the same one."""
        if (answer := await self.media.suffer(request)) is not None:
            return answer
        content = unlike_others(self.sample, random.Random(request.path))
        self.served[f"{self.url}{request.path}"] = sha256(content).hexdigest()
        return web.Response(body=content, content_type="video/mp4")


@asynccontextmanager
async def world_outside(sample: bytes) -> AsyncIterator[Outside]:
    """Listen on loopback while the block lasts."""
    outside = Outside(sample)
    app = web.Application()
    app.router.add_post("/hooks/{name}", outside.take_hook)
    app.router.add_get("/media/{name}", outside.give_media)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    async with AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        outside.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        await stack.enter_async_context(running(outside.platform))
        yield outside
