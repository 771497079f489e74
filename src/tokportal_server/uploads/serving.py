"""``GET /media/{key}``: stored files, for whoever has the unguessable address.

Litestar's own file response ignores ranges. What is served can only be one of the image and video
types that the column allows, is never sniffed, and may run nothing even if a browser were tricked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
import msgspec
import structlog
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from tokportal_server.http.answers import JSON
from tokportal_server.http.errors import NotFoundError
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import check_key
from tokportal_server.uploads.ingest import suffix_of
from tokportal_server.uploads.ranges import (
    UnsatisfiableRange,
    byte_range,
    is_unchanged,
    range_applies,
)

log = structlog.get_logger(__name__)

FIND_FILE = """
SELECT COALESCE(object_key, storage_key) AS object_key, content_type, filename, size_bytes, sha256
  FROM uploads WHERE workspace_id = $1 AND storage_key = $2
UNION ALL
SELECT t.storage_key, 'image/jpeg', u.filename, t.size_bytes, t.sha256
  FROM thumbnails t JOIN uploads u ON u.workspace_id = t.workspace_id AND u.id = t.upload_id
 WHERE t.workspace_id = $1 AND t.storage_key = $2
"""
_ALWAYS = {
    "Accept-Ranges": "bytes",
    # The bytes under a key never change; "private" because the address is what protects them.
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


class RangeNotSatisfiableError(ApiError):
    """The range begins behind the end of the file; ``Content-Range`` gives its length."""

    code = "RANGE_NOT_SATISFIABLE"
    status = 416
    remedy = "You: ask for a range inside the length that `Content-Range` gives."


def media_routes(ports: Ports) -> list[HTTPRouteHandler]:
    """Give the route, bound to this process's ports."""

    @route("/media/{key:path}", http_method=[HttpMethod.GET, HttpMethod.HEAD], status_code=200)
    async def media(request: Request[Any, Any, Any]) -> Response[Any]:
        """Serve a stored file, or the part of it that was asked for."""
        request.scope["tokportal_operation"] = "media"  # type: ignore[typeddict-unknown-key]
        storage_key = str(request.path_params["key"]).removeprefix("/")
        return await _serve(ports, request, await _find(ports, storage_key))

    return [media]


async def _find(ports: Ports, key: str) -> asyncpg.Record:
    workspace_id = _workspace_of(key)
    row = None
    if workspace_id is not None:
        async with ports.database.connection() as conn:
            row = await conn.fetchrow(FIND_FILE, workspace_id, key)
    if row is None:
        raise _not_found()
    return row


def _workspace_of(key: str) -> UUID | None:
    """Read the first segment of a key; None if this cannot be a key of ours."""
    try:
        return UUID(hex=check_key(key).partition("/")[0])
    except ValueError:
        return None


async def _serve(
    ports: Ports, request: Request[Any, Any, Any], row: asyncpg.Record
) -> Response[Any]:
    size, etag = row["size_bytes"], f'"{row["sha256"]}"'
    headers = _ALWAYS | {"ETag": etag}
    asked = request.headers
    if is_unchanged(asked.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    headers["Content-Disposition"] = _disposition(row["filename"], row["content_type"])
    part = None
    # A range means nothing to HEAD (RFC 9110, section 14.2).
    if request.method == "GET" and range_applies(asked.get("if-range"), etag):
        try:
            part = byte_range(asked.get("range"), size)
        except UnsatisfiableRange:
            return _unsatisfiable(request, size)
    start, end = part or (0, size)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    return Stream(
        () if request.method == "HEAD" else await _open(ports, row["object_key"], start, end),
        status_code=200 if part is None else 206,
        media_type=row["content_type"],
        headers=headers,
    )


async def _open(ports: Ports, key: str, start: int, end: int) -> AsyncIterator[bytes]:
    """Begin to read, so that a lost object is still a 404 and not an answer that breaks off."""
    try:
        return await ports.storage.get_range(key, start, end)
    except FileNotFoundError:
        log.error("media_lost", storage_key=key)  # noqa: TRY400 - the trace would say nothing more
        raise _not_found() from None


def _disposition(filename: str, content_type: str) -> str:
    """Name the file by its real type: what is saved must not be opened as something else."""
    name = PurePosixPath(filename).stem + suffix_of(content_type)
    return f"inline; filename*=UTF-8''{quote(name, safe='')}"


def _not_found() -> NotFoundError:
    return NotFoundError(
        "No stored file has this address. Use the public_url of an upload's answer as it is."
    )


def _unsatisfiable(request: Request[Any, Any, Any], size: int) -> Response[bytes]:
    error = RangeNotSatisfiableError(
        f"The file has {size} bytes; the range begins behind them.", details={"size_bytes": size}
    )
    scope: Any = request.scope
    return Response(
        msgspec.json.encode(error.body(scope["tokportal_request_id"])),
        status_code=error.status,
        media_type=JSON,
        headers={"Content-Range": f"bytes */{size}"},
    )
