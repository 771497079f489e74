"""What a worker shows of itself: traces, vital signs, and metrics at a port if it runs alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from tokportal_server import __version__
from tokportal_server.admin.metrics import CONTENT_TYPE, Exposition, may_read
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib import tracing
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.vitals import are_shared, vital_signs


@asynccontextmanager
async def watched_ports(settings: Settings) -> AsyncIterator[Ports]:
    """Open a worker's ports, traced and measured.

    Beside an API its numbers are in that one's ``/metrics``. A worker of its own answers at
    ``metrics_port``, if there is one.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(tracing.traced("worker", __version__))
        ports = await stack.enter_async_context(open_ports(settings, direct=True))
        await stack.enter_async_context(vital_signs("worker", ports.database))
        if settings.metrics_port is not None and not are_shared():
            await stack.enter_async_context(_answering(ports, settings.metrics_port))
        yield ports


@asynccontextmanager
async def _answering(ports: Ports, port: int) -> AsyncIterator[None]:
    exposition = Exposition(ports)

    async def metrics(request: web.Request) -> web.Response:
        headers = {name.lower().encode(): value.encode() for name, value in request.headers.items()}
        if not may_read(request.remote or "", headers, ports.settings):
            return web.Response(status=403, text="Set TOKPORTAL_METRICS_TOKEN, and send it.\n")
        return web.Response(body=await exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": __version__})

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, ports.settings.host, port).start()
        yield
    finally:
        await runner.cleanup()
