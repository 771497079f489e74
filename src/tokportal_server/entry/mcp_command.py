"""``mcp``: the API's operations as tools."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

from cyclopts import Parameter

from tokportal_server.entry.installation import settings
from tokportal_server.http.registry import BASE_PATH
from tokportal_server.mcp.credentials import key_in_environment


def mcp(*, base_url: Annotated[str | None, Parameter(env_var="TOKPORTAL_BASE_URL")] = None) -> None:
    """Offer the API's operations as tools (Model Context Protocol) on standard input and output.

    The API key is read from TOKPORTAL_API_KEY, never from the command line.

    Parameters
    ----------
    base_url
        Base URL of the API, ending in /api/ext; if not given, that of a server with these settings.
    """
    read, api_key = settings(), key_in_environment(os.environ)
    from tokportal_server.mcp.stdio import run_stdio  # noqa: PLC0415 - loads FastMCP

    address = base_url or read.origin() + BASE_PATH
    asyncio.run(run_stdio(base_url=address, api_key=api_key))
