"""``PUT /uploads/{permit}``: what a presigned upload sends, where the store has no address itself.

1. The permit is checked: signature, time, ``Content-Type``, announced length.
2. The body streams to quarantine in constant memory; a connection that breaks leaves nothing.
3. Sent again before its first use, the file replaces the earlier one; afterwards it is refused, and
   so is what arrived while the first use was under way.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from tokportal_server.http.answers import JSON
from tokportal_server.http.body import arriving
from tokportal_server.http.errors import UnsupportedContentTypeError
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.uploads.limits import file_too_large, within
from tokportal_server.uploads.presigned import Permit, quarantine_key, read_permit

IS_AWAITED = "SELECT 1 FROM presigned_uploads WHERE workspace_id = $1 AND storage_key = $2"


class UploadUsedError(ApiError):
    """The file of this address has been used, or was left unused for a day: it takes no other."""

    code = "UPLOAD_ALREADY_USED"
    status = 409
    remedy = "You: ask for a new address (`POST /upload/video` or `/upload/image`) for a new file."


def receiving_routes(ports: Ports) -> list[HTTPRouteHandler]:
    """Give the route, bound to this process's ports."""

    @route("/uploads/{permit:str}", http_method=HttpMethod.PUT, status_code=200)
    async def receive(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Store the body as the file that the permit is for."""
        request.scope["tokportal_operation"] = "receive_upload"  # type: ignore[typeddict-unknown-key]
        segment = str(request.path_params["permit"])
        permit = read_permit(ports.vault, segment, now=time.time())
        _check_head(permit, request)
        await _require_awaited(ports, permit)
        key = quarantine_key(permit.storage_key)
        stored = await ports.storage.put_stream(
            key, within(permit.max_bytes, arriving(request.stream()))
        )
        try:
            await _require_awaited(ports, permit)
        except UploadUsedError:
            await ports.storage.delete(key)
            raise
        data = {
            "storage_path": permit.storage_key,
            "size_bytes": stored.size,
            "sha256": stored.sha256,
        }
        return Response(msgspec.json.encode({"data": data}), status_code=200, media_type=JSON)

    return [receive]


def _check_head(permit: Permit, request: Request[Any, Any, Any]) -> None:
    """Refuse by the head alone what would not be kept anyway."""
    sent = request.headers.get("content-type", "").strip()
    if sent.lower() != permit.content_type:
        raise UnsupportedContentTypeError(
            f"Content-Type is {sent[:80]!r}; this address was given out for {permit.content_type}."
            " Send the headers of the answer with the PUT.",
            details={"accepted": [permit.content_type]},
        )
    announced = request.headers.get("content-length", "")
    # The HTTP server has refused a length that is no number.
    if announced and int(announced) > permit.max_bytes:
        raise file_too_large(permit.max_bytes, int(announced))


async def _require_awaited(ports: Ports, permit: Permit) -> None:
    workspace_id = UUID(hex=permit.storage_key.partition("/")[0])
    async with ports.database.connection() as conn:
        await ports.maintenance.refuse_writes(conn)
        if await conn.fetchval(IS_AWAITED, workspace_id, permit.storage_key):
            return
    raise UploadUsedError(
        "The file of this address has been used already, or was never used for a day. Ask for a"
        " new address (POST /upload/video or /upload/image)."
    )
