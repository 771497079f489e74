"""A webhook receiver on loopback that checks each signature as an integrator would."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from tokportal import verify_webhook_signature


class Receiver:
    """Keeps every event once by its id; deliveries may repeat, events do not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, dict[str, Any]] = {}
        self.secret = ""
        self.refused = 0
        self.duplicates = 0

    def types(self) -> list[str]:
        """Give the types of all events received so far, in the order of their sequence."""
        with self._lock:
            ordered = sorted(self._events.values(), key=lambda e: e["data"]["sequence"])
            return [event["type"] for event in ordered]

    async def receive(self, request: web.Request) -> web.Response:
        """Take one delivery; 400 if its signature is not right."""
        body = await request.read()
        signature = request.headers.get("TokPortal-Signature", "")
        if not verify_webhook_signature(body, signature, self.secret):
            self.refused += 1
            return web.Response(status=400, text="bad signature")
        event = json.loads(body)
        with self._lock:
            self.duplicates += event["id"] in self._events
            self._events[event["id"]] = event
        return web.Response(status=204)


@asynccontextmanager
async def receiving(port: int) -> AsyncIterator[Receiver]:
    """Listen on ``http://127.0.0.1:<port>/hook`` while the block runs."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield receiver
    finally:
        await runner.cleanup()
