"""The tools over streamable HTTP at ``/api/ext/mcp``, where the published toolkits look.

1. The key, from ``X-API-Key`` or ``Authorization: Bearer``: without a valid one nothing is read.
2. The body, within the limits of any JSON body.
3. FastMCP, built by the first request that gets here, without sessions: any process of the server
   can answer any request, and a restart ends nobody's conversation.
4. A tool's request, through the application of this same process; no socket is opened.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from typing import Any

from litestar import HttpMethod, Request, route
from litestar.handlers import HTTPRouteHandler

from tokportal_server.http.admission import admit, recognise
from tokportal_server.http.body import read_json
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.http.registry import BASE_PATH
from tokportal_server.lib.ports import Ports
from tokportal_server.mcp.credentials import key_in_headers

PATH = f"{BASE_PATH}/mcp"


class McpEndpoint:
    """The endpoint of one process. ``app`` is the whole application, which the tools call."""

    def __init__(self, app: Any, ports: Ports, form_limits: Mapping[str, FormLimits]) -> None:
        self._opening = (app, ports, form_limits)
        self._ports = ports
        self._starting = asyncio.Lock()
        self._lifetime: Any = None

    def route(self) -> HTTPRouteHandler:
        """Give the route; the router refuses every method but POST."""

        @route(PATH, http_method=HttpMethod.POST, status_code=200)
        async def mcp(request: Request[Any, Any, Any]) -> _Onward:
            """Speak MCP."""
            return await self._receive(request)

        return mcp

    async def close(self) -> None:
        """End FastMCP, if it was ever started."""
        if self._lifetime is not None:
            await self._lifetime.close()

    async def _receive(self, request: Request[Any, Any, Any]) -> _Onward:
        scope: Any = request.scope
        scope["tokportal_operation"] = "mcp"
        headers: dict[bytes, bytes] = dict(scope["headers"])
        key = key_in_headers(headers)
        await self._check(key)
        body = await read_json(
            request.stream(), headers, max_bytes=self._ports.settings.json_body_max_bytes
        )
        return _Onward(await self._application(), key, body)

    async def _check(self, key: bytes | None) -> None:
        """Refuse a bad key. No token is taken: each tool's own request takes one.

        Raises:
            MissingKeyError, InvalidKeyError, RevokedKeyError, ExpiredKeyError: 401.
        """
        async with self._ports.database.connection() as conn:
            if await recognise(conn, key, self._ports.settings) is None:
                # Admission knows what is wrong with a key, and charges a refused one nothing.
                await admit(conn, key, self._ports.settings, {})

    async def _application(self) -> Any:
        async with self._starting:
            if self._lifetime is None:
                # In a thread: other requests go on while half a second of code is loaded.
                serving = await asyncio.to_thread(
                    importlib.import_module, "tokportal_server.mcp.serving"
                )
                self._lifetime = serving.Lifetime(*self._opening, path=PATH)
        return await self._lifetime.application()


class _Onward:
    """Hands a request, whose body has been read, to another application as its answer."""

    def __init__(self, app: Any, key: bytes | None, body: bytes) -> None:
        self._app = app
        self._key = key
        self._body = body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the application on a copy of the scope, which is its to change."""
        unread = [{"type": "http.request", "body": self._body, "more_body": False}]

        async def replay() -> Any:
            return unread.pop() if unread else await receive()

        await self._app({**scope, "tokportal_mcp_key": self._key}, replay, send)
