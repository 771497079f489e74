"""The two public reference lists."""

from __future__ import annotations

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.workspaces import reference
from tokportal_server.workspaces.wire import Country, Platform

router = Router("Reference")


@router.operation(
    "GET",
    "/countries",
    "listCountries",
    summary="List available countries",
    returns=list[Country],
    public=True,
)
async def list_countries(call: Call) -> Answer:
    """Countries in which accounts can be set up and videos posted, with the codes to order by."""
    return Answer(await reference.list_countries(call.conn))


@router.operation(
    "GET",
    "/platforms",
    "listPlatforms",
    summary="List available platforms",
    returns=list[Platform],
    public=True,
)
async def list_platforms(call: Call) -> Answer:
    """Supported platforms with their caption, comment and carousel limits."""
    return Answer(await reference.list_platforms(call.conn))
