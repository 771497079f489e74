"""The MCP server itself: FastMCP with one tool for each operation of the OpenAPI document.

Importing this module imports FastMCP, which takes about half a second: leave it to the first use.
"""

from __future__ import annotations

import json
import logging

from fastmcp import FastMCP

from tokportal_server import __version__
from tokportal_server.lib.resources import contract_file
from tokportal_server.mcp.signature import signatures
from tokportal_server.mcp.tool import Backend, OperationTool

NAME = "tokportal-server"
INSTRUCTIONS = """\
Order social media accounts and posts that people set up and publish by hand, and follow them.
An order is a bundle: create it (credits are charged then), configure its account and its video
slots, ask for publish readiness, publish it. Ids come from create and list tools. Before anything
that costs credits call the same tool with dry_run: true and show the price. Give each write an
idempotency_key of your own and keep it when you try again. A refusal has error.code, error.message
and, for validation, every problem in error.details.errors.
"""


def build_server(backend: Backend) -> FastMCP[None]:
    """Make the server, with the tools in the order of the reference."""
    _log_as_we_do()
    document = json.loads(contract_file("openapi.json").read_bytes())
    server: FastMCP[None] = FastMCP(NAME, instructions=INSTRUCTIONS, version=__version__)
    for signature in signatures(document):
        server.add_tool(OperationTool.of(signature, backend))
    return server


def _log_as_we_do() -> None:
    """Take FastMCP's own handlers away, so that its lines pass through our redaction.

    What its HTTP client would say of each tool's request, the API itself logs already.
    """
    logger = logging.getLogger("fastmcp")
    logger.handlers.clear()
    logger.propagate = True
    logging.getLogger("httpx2").setLevel(logging.WARNING)
