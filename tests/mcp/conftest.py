"""Sessions of the official MCP client with a live server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

PATH = "/api/ext/mcp"


@dataclass(frozen=True)
class Tools:
    """The tools of a server, called as a model would."""

    session: ClientSession

    async def call(self, name: str, **arguments: Any) -> CallToolResult:
        """Call a tool; whatever it answers."""
        result = await self.session.call_tool(name, arguments)
        assert isinstance(result, CallToolResult)
        return result

    async def data(self, name: str, **arguments: Any) -> Any:
        """Call a tool that has to succeed; give the ``data`` of its answer."""
        result = await self.call(name, **arguments)
        assert not result.is_error, text_of(result)
        assert result.structured_content is not None
        return result.structured_content["data"]

    async def error(self, name: str, **arguments: Any) -> Any:
        """Call a tool that has to refuse; give the ``error`` of its answer."""
        result = await self.call(name, **arguments)
        assert result.is_error, text_of(result)
        assert result.structured_content is not None
        return result.structured_content["error"]


def text_of(result: CallToolResult) -> str:
    """Give what a model reads."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


@asynccontextmanager
async def tools_of(server: str, headers: Mapping[str, str]) -> AsyncIterator[Tools]:
    """Open a session with a server over streamable HTTP."""
    async with (
        httpx2.AsyncClient(headers=dict(headers)) as http,
        streamable_http_client(server + PATH, http_client=http) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield Tools(session)
