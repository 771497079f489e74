"""Bytes from outside into a local file, with limits; and why they did not come, for people."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import structlog

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.outbound import OutboundFailure, OutboundPort
from tokportal_server.uploads.limits import UnsupportedMediaTypeError
from tokportal_server.uploads.share_links import direct_download
from tokportal_server.uploads.wire import MediaError

log = structlog.get_logger(__name__)

Progress = Callable[[int], Awaitable[None]]
"""Told now and then how many bytes there are by now."""

_REDIRECTS = 5
_WRITE_BYTES = 1 << 20
_LONGEST_FILENAME = 255
# Answers of a host that may well be another one in a minute (RFC 9110, 6585).
_PASSING_STATUSES = frozenset({408, 425, 429})
_PASSING_FAILURES = frozenset({"dns", "refused", "timeout", "tls"})


class NotUploadedError(Exception):
    """A presigned address was given out, and nothing was sent to it."""


FetchError = OutboundFailure | ApiError | OSError | NotUploadedError
FETCH_ERRORS = (OutboundFailure, ApiError, OSError, NotUploadedError)


@asynccontextmanager
async def scratch_file(directory: Path) -> AsyncIterator[Path]:
    """Give a new empty file, gone when the block ends; the directory is made if need be."""
    path = await asyncio.to_thread(_make_scratch_file, directory)
    try:
        yield path
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _make_scratch_file(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix="fetch-", dir=directory)
    os.close(descriptor)
    return Path(name)


async def fetch_url(
    outbound: OutboundPort,
    url: str,
    path: Path,
    *,
    max_bytes: int,
    seconds: float,
    progress: Progress | None = None,
) -> str:
    """Fill the file from an external address; give the address that its bytes came from in the end.

    A share link of Google Drive or Dropbox stands for its file. ``seconds`` bounds the whole, from
    the first byte sent to the last one received. Raises OutboundFailure and OSError.
    """
    async with outbound.download(
        direct_download(url), max_bytes=max_bytes, total_timeout=seconds, max_redirects=_REDIRECTS
    ) as download:
        await save(download.chunks(), path, progress)
        return download.url


async def save(chunks: AsyncIterator[bytes], path: Path, progress: Progress | None = None) -> None:
    """Write to disk by the mebibyte, in a thread: neither the disk nor a trickle stops the loop."""
    waiting = bytearray()
    written = 0
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in chunks:
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                written += await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
            if progress is not None:
                await progress(written + len(waiting))
        await asyncio.to_thread(file.write, bytes(waiting))


def may_pass(error: FetchError) -> bool:
    """Tell whether the same request may have another outcome later."""
    if isinstance(error, OutboundFailure):
        if error.status is not None and error.error_class == "status":
            return error.status >= 500 or error.status in _PASSING_STATUSES
        return error.error_class in _PASSING_FAILURES
    if isinstance(error, ApiError):
        # The database or the decoders have too much to do; no other refusal depends on the hour.
        return error.status == 503
    return isinstance(error, OSError)


def explain(error: FetchError, url: str | None) -> MediaError:
    """Say why, for the customer; of the URL only the host, since the rest may be a secret."""
    if isinstance(error, UnsupportedMediaTypeError) and url is not None:
        return MediaError(
            error.code,
            f"{host_of(url)}: {error.message} If the address shows a page with a button for the"
            " download, share the file with everybody who has the link, or upload it.",
        )
    if isinstance(error, ApiError):
        return MediaError(error.code, error.message)
    if isinstance(error, OutboundFailure):
        if error.error_class == "too_large":
            return MediaError("FILE_TOO_LARGE", f"{host_of(url)}: {error.message}.")
        return MediaError(
            f"FETCH_{error.error_class.upper()}",
            f"{host_of(url)}: {error.message}. Give an address that anybody can download from"
            " without signing in, or upload the file.",
        )
    if isinstance(error, NotUploadedError):
        return MediaError(
            "NOT_UPLOADED",
            "Nothing was sent to the upload_url of this file. PUT the file there while the address"
            " is valid, and configure again; or upload the file anew.",
        )
    log.error("media_not_stored", exc_info=error)
    return MediaError("FETCH_NOT_STORED", "The server could not store the file. Send it again.")


def host_of(url: str | None) -> str:
    """Give the host of a URL, for messages."""
    return urlsplit(url or "").hostname or "the host"


def filename_of(url: str, otherwise: str) -> str:
    """Give the last segment of a URL's path as a file name, or ``otherwise`` if it has none."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name.replace("\0", "")
    return name[-_LONGEST_FILENAME:] or otherwise
