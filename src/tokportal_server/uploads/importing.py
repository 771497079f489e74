"""``uploadImageFromUrl``: an image fetched while its caller waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from tokportal_server.http.call import Call
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.outbound import BlockedUrl, OutboundFailure, check_url
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import DRY_RUN_PREFIX
from tokportal_server.uploads.fetching import fetch_url, filename_of, host_of, scratch_file
from tokportal_server.uploads.ingest import Ingested, ingest_image
from tokportal_server.uploads.limits import (
    UnsupportedMediaTypeError,
    file_too_large,
    media_limits,
)
from tokportal_server.uploads.media import public_url
from tokportal_server.uploads.queries import require_bundle
from tokportal_server.uploads.sniff import SNIFFED_BYTES, MediaType, sniff
from tokportal_server.uploads.wire import UploadImageFromUrlRequest

# A caller waits for it. What takes longer can be named in a slot, which fetches in the background.
_SECONDS = 25.0


class FetchFailedError(ApiError):
    """The address gave no file; ``details.reason`` says why.

    It is one of dns, refused, timeout, tls, status, blocked, redirects.
    """

    code = "FETCH_FAILED"
    status = 400
    remedy = "You: check that the address can be downloaded by anybody, or upload the file itself."


@dataclass(frozen=True, slots=True)
class Imported:
    """An image that was fetched and stored."""

    media: Ingested
    filename: str


async def check_import(call: Call, body: UploadImageFromUrlRequest) -> None:
    """Check what can be checked without calling out.

    Raises:
        ValidationError: the URL may not be called, or is one of ours.
        BundleNotFoundError: the workspace has no such bundle.
    """
    ours = public_url(call.base_url, "")
    if body.url.lower().startswith(ours.lower()):
        problem = "is a file of this server already: use its storage_path"
        refuse([Problem("url", problem, body.url)])
    try:
        check_url(body.url, call.ports.outbound_policy)
    except BlockedUrl as blocked:
        refuse([Problem("url", blocked.reason, body.url)])
    # What a dry run imagined has passed this check when it was imagined.
    if str(body.bundle_id).startswith(DRY_RUN_PREFIX):
        return
    async with call.ports.database.connection() as conn:
        await require_bundle(conn, call.who.workspace_id, body.bundle_id)


async def import_image(ports: Ports, workspace_id: UUID, url: str) -> Imported:
    """Fetch an image, rewrite it and store it; no transaction is open.

    Raises:
        FetchFailedError: nothing came from the address.
        ApiError: as :func:`tokportal_server.uploads.ingest.ingest_image`; HEIC is not taken here.
    """
    limits = media_limits(ports.settings)
    async with scratch_file(ports.settings.incoming) as path:
        try:
            final = await fetch_url(
                ports.outbound, url, path, max_bytes=limits.image_max_bytes, seconds=_SECONDS
            )
        except OutboundFailure as failure:
            raise _refusal(failure, url, limits.image_max_bytes) from failure
        if await asyncio.to_thread(_is_heic, path):
            raise UnsupportedMediaTypeError(
                "The address gives a HEIC image; from a URL, JPEG, PNG, WebP and GIF are taken."
                " Upload the file instead (POST /upload/image/direct).",
                details={"found": str(MediaType.HEIC)},
            )
        media = await ingest_image(
            path, workspace_id=workspace_id, storage=ports.storage, limits=limits
        )
    return Imported(media, filename_of(final, "image"))


def _is_heic(path: Path) -> bool:
    with path.open("rb") as file:
        return sniff(file.read(SNIFFED_BYTES)) is MediaType.HEIC


def _refusal(failure: OutboundFailure, url: str, limit_bytes: int) -> ApiError:
    if failure.error_class == "too_large":
        return file_too_large(limit_bytes)
    return FetchFailedError(
        f"url: {host_of(url)}: {failure.message}. Give an address that anybody can download from"
        " without signing in, or upload the file itself.",
        details={"reason": failure.error_class, "host_status": failure.status},
    )
