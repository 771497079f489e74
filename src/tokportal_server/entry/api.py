"""The API process: one ASGI application, opened and closed by the server's lifespan."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog

from tokportal_server import __version__
from tokportal_server.accounts.inbound_mail import inbound_mail_routes
from tokportal_server.admin.metrics import metrics_route
from tokportal_server.analytics.reports.serving import report_routes
from tokportal_server.entry.operations import all_operations
from tokportal_server.entry.pages import page_routes
from tokportal_server.entry.wiring import open_ports
from tokportal_server.http.app import build_app
from tokportal_server.http.asgi import Wire
from tokportal_server.http.request_log import request_log
from tokportal_server.http.system import system_routes
from tokportal_server.lib import tracing
from tokportal_server.lib.process import noticing, spare_the_collector
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.vitals import vital_signs
from tokportal_server.mcp.endpoint import McpEndpoint
from tokportal_server.reference.routes import reference_routes
from tokportal_server.uploads.receiving import receiving_routes
from tokportal_server.uploads.routes import form_limits
from tokportal_server.uploads.serving import media_routes
from tokportal_server.videos.batch_routes import form_limits as csv_form_limits

log = structlog.get_logger(__name__)


class Api:
    """The application that the HTTP server runs: nothing is open before its lifespan starts."""

    def __init__(self, settings: Settings, *, signals: Sequence[signal.Signals] = ()) -> None:
        """``signals`` announce the end of the process to streams, which would hold it up.

        Who gives them says that the process is the application's own.
        """
        self._settings = settings
        self._signals = signals
        self._stack = AsyncExitStack()
        self._app: Wire | None = None

    async def open(self) -> None:
        """Connect, and build the routes."""
        self._stack.enter_context(tracing.traced("api", __version__))
        ports = await self._stack.enter_async_context(open_ports(self._settings))
        await self._stack.enter_async_context(vital_signs("api", ports.database))
        if self._signals:
            self._stack.enter_context(noticing(self._signals, ports.stopping.set))
        self._stack.callback(ports.stopping.set)
        limits = form_limits(self._settings) | csv_form_limits()
        mcp = McpEndpoint(self, ports, limits)
        self._stack.push_async_callback(mcp.close)
        requests = await self._stack.enter_async_context(request_log(ports.database))
        self._app = build_app(
            all_operations(),
            ports,
            base_url=self._settings.origin(),
            form_limits=limits,
            more_routes=[
                *system_routes(ports),
                metrics_route(ports),
                *media_routes(ports),
                *receiving_routes(ports),
                *inbound_mail_routes(ports),
                *report_routes(ports),
                *page_routes(ports),
                *reference_routes(all_operations),
                mcp.route(),
            ],
            requests=requests,
        )

    async def close(self) -> None:
        """Let go of everything."""
        self._app = None
        await self._stack.aclose()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            await self.open()
        except Exception as error:
            log.exception("startup_failed")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        if self._signals:
            spare_the_collector()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})
