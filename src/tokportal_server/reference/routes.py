"""``/docs`` and ``/llms.txt``: the reference, served by the API process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from litestar import HttpMethod, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tokportal_server.http.errors import NotFoundError
from tokportal_server.http.registry import Operation
from tokportal_server.reference.site import Document, Site, build_site, served
from tokportal_server.reference.verify import verify_routes

_READS = [HttpMethod.GET, HttpMethod.HEAD]
_HEADERS = {
    # Everything that a page loads is a file of ours; nothing is inline and nothing is elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    # A new release has new pages; asking again is cheap.
    "Cache-Control": "no-cache",
}


def reference_routes(operations: Callable[[], list[Operation]]) -> list[HTTPRouteHandler]:
    """Give the routes; the pages are prepared when the first of them is asked for."""
    pages = _Pages(operations)

    @route("/docs", http_method=_READS, status_code=200)
    async def front() -> Response[bytes]:
        """The front page."""
        return await pages.answer("")

    @route("/docs/{target:path}", http_method=_READS, status_code=200)
    async def page(target: FromPath[Path]) -> Response[bytes]:
        """A page or file of the reference."""
        return await pages.answer(str(target).strip("/"))

    @route("/llms.txt", http_method=_READS, status_code=200)
    async def llms() -> Response[bytes]:
        """An overview of the reference for programs that read text."""
        return await pages.answer("llms.txt")

    return [front, page, llms, *verify_routes(pages.site)]


class _Pages:
    """The site, built once, away from the event loop."""

    def __init__(self, operations: Callable[[], list[Operation]]) -> None:
        self._operations = operations
        self._site: Site | None = None
        self._building = asyncio.Lock()

    async def answer(self, target: str) -> Response[bytes]:
        """Answer with a document.

        Raises:
            NotFoundError: there is no such page.
        """
        document = await self._document(target)
        if document is None:
            raise NotFoundError(f"The reference has no page {target[:200]!r}; it begins at /docs.")
        return Response(document.content, media_type=document.media_type, headers=_HEADERS)

    async def _document(self, target: str) -> Document | None:
        return (await self.site()).read(target)

    async def site(self) -> Site:
        """Give the site."""
        async with self._building:
            if self._site is None:
                self._site = await asyncio.to_thread(build_site, self._operations(), served)
            return self._site
