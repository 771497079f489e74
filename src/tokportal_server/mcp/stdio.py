"""The tools on standard input and output: the client is on this machine, the server anywhere."""

from __future__ import annotations

from uuid import uuid4

import httpx2

from tokportal_server.mcp.files import LocalFiles
from tokportal_server.mcp.server import build_server
from tokportal_server.mcp.tool import Backend, Identity

# A direct upload of a large video takes its time; the server ends what really hangs.
_TIMEOUT = httpx2.Timeout(600.0, connect=10.0)


async def run_stdio(*, base_url: str, api_key: str) -> None:
    """Serve the tools until standard input ends. ``base_url`` ends in ``/api/ext``."""

    def identity() -> Identity:
        return Identity(api_key, f"mcp_{uuid4().hex}")

    async with httpx2.AsyncClient(
        base_url=base_url, timeout=_TIMEOUT, headers={"X-TokPortal-Client": "tokportal-server mcp"}
    ) as client:
        server = build_server(Backend(client, LocalFiles(), identity))
        await server.run_stdio_async(show_banner=False)
