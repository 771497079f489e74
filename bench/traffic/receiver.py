"""A receiver of webhooks as an integrator has it: a process that checks every signature.

``PUT /secrets/NUMBER`` tells it what endpoint ``/hooks/NUMBER`` is signed with, and
``GET /seen/NUMBER`` what came there: every event id once, and how many were refused or came again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import uvloop
from aiohttp import web
from harness.stage import listening
from tokportal import verify_webhook_signature


class Seen(msgspec.Struct):
    """What came to one endpoint."""

    ids: set[str] = msgspec.field(default_factory=set)
    again: int = 0
    refused: int = 0


class Endpoints:
    """All endpoints of the receiver."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}
        self._seen: dict[str, Seen] = defaultdict(Seen)

    async def tell(self, request: web.Request) -> web.Response:
        """Take an endpoint's secret."""
        self._secrets[request.match_info["number"]] = await request.text()
        return web.Response(status=204)

    async def receive(self, request: web.Request) -> web.Response:
        """Take a delivery; 400 if its signature is not right."""
        number = request.match_info["number"]
        seen, body = self._seen[number], await request.read()
        signature = request.headers.get("TokPortal-Signature", "")
        if not verify_webhook_signature(body, signature, self._secrets[number]):
            seen.refused += 1
            return web.Response(status=400, text="bad signature")
        event_id = json.loads(body)["id"]
        seen.again += event_id in seen.ids
        seen.ids.add(event_id)
        return web.Response(status=204)

    async def show(self, request: web.Request) -> web.Response:
        """Tell what came."""
        seen = self._seen[request.match_info["number"]]
        return web.Response(body=msgspec.json.encode(seen), content_type="application/json")


async def receive(port: int) -> None:
    """Listen until the process is ended."""
    endpoints, application = Endpoints(), web.Application()
    application.router.add_put("/secrets/{number}", endpoints.tell)
    application.router.add_post("/hooks/{number}", endpoints.receive)
    application.router.add_get("/seen/{number}", endpoints.show)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


@contextmanager
def verifying_receiver() -> Iterator[int]:
    """Run the receiver; give its port."""
    with listening("traffic.receiver") as port:
        yield port


if __name__ == "__main__":
    uvloop.run(receive(int(sys.argv[1])))
