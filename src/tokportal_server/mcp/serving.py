"""FastMCP's streamable HTTP as one ASGI application that a running server can open and close.

Importing this module imports FastMCP: only ``endpoint`` does, on the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastmcp.server.dependencies import get_http_request

from tokportal_server.http.pipeline import FormLimits
from tokportal_server.http.registry import BASE_PATH
from tokportal_server.lib.ports import Ports
from tokportal_server.mcp.files import FetchedFiles
from tokportal_server.mcp.server import build_server
from tokportal_server.mcp.tool import Backend, Identity

KEY = "tokportal_mcp_key"
"""Where the scope of a request has the API key, as bytes."""


@asynccontextmanager
async def serving(
    app: Any, ports: Ports, form_limits: Mapping[str, FormLimits], *, path: str
) -> AsyncIterator[Any]:
    """Give the application that answers MCP requests at ``path``, while the block lasts.

    ``app`` is the application that the tools call. The block must be entered and left by one task.
    """
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(
        transport=transport,
        base_url=ports.settings.origin() + BASE_PATH,
        timeout=None,
        headers={"X-TokPortal-Client": "mcp"},
    ) as client:
        server = build_server(Backend(client, FetchedFiles(ports, form_limits), _identity))
        # The guard against rebound host names is left out: a page that tricks a browser into a
        # request still has no key, and behind a proxy the guard would refuse honest callers.
        mcp = server.http_app(
            path=path, stateless_http=True, json_response=True, host_origin_protection=False
        )
        async with mcp.lifespan(mcp):
            yield mcp


def _identity() -> Identity:
    scope = get_http_request().scope
    return Identity(scope[KEY].decode("latin-1"), scope["tokportal_request_id"])


class Lifetime:
    """Keeps an application open in a task of its own, since requests come and go."""

    def __init__(self, *opening: Any, **more: Any) -> None:
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(*opening, **more))

    async def application(self) -> Any:
        """Wait until it is open; whatever kept it from opening is raised here."""
        await asyncio.wait((self._opened, self._task), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        return self._opened.result()

    async def close(self) -> None:
        """Close it, and wait until it is closed."""
        self._closing.set()
        await asyncio.wait((self._task,))

    async def _run(self, *opening: Any, **more: Any) -> None:
        async with serving(*opening, **more) as mcp:
            self._opened.set_result(mcp)
            await self._closing.wait()
