"""The job ``fetch_media``: bring a file from somebody else's address into our storage.

1. Claim the row: count the attempt, and learn what to fetch.
2. Download to a local file, probe or rewrite it, store it: no transaction is open meanwhile.
3. In one transaction, behind the bundle's lock: record the upload, make the row ready and tell the
   owner's slice, if the row is still the one that was claimed. If not, let go of the object.
4. What fails is tried three times in all, unless trying again cannot help; then the row fails, with
   the reason, and the owner's slice is told as well.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import asyncpg
import structlog

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.outbound import OutboundFailure
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.uploads.ingest import Ingested, ingest_image, ingest_video
from tokportal_server.uploads.limits import media_limits
from tokportal_server.uploads.media import PURPOSE_OF
from tokportal_server.uploads.operations.record_upload import discard_unrecorded, record_upload
from tokportal_server.uploads.probe import DecodersBusyError
from tokportal_server.uploads.share_links import direct_download
from tokportal_server.uploads.wire import MediaError, MediaKind

log = structlog.get_logger(__name__)

MediaHook = Callable[[UnitOfWork, asyncpg.Record], Awaitable[None]]
"""Told, in the settling transaction and with the bundle locked, about a row of ``media`` that has
become ready or failed."""

ATTEMPTS = 3
DOWNLOAD_SECONDS = 600.0
_REDIRECTS = 5
_WRITE_BYTES = 1 << 20
_LONGEST_FILENAME = 255
# Answers of a host that may well be another one in a minute (RFC 9110, 6585).
_PASSING_STATUSES = frozenset({408, 425, 429})
_PASSING_FAILURES = frozenset({"dns", "refused", "timeout", "tls"})

CLAIM = """
UPDATE media SET attempts = attempts + 1
 WHERE workspace_id = $1 AND id = $2 AND status = 'fetching'
RETURNING workspace_id, id, bundle_id, kind, source_url, attempts
"""
NOW = "SELECT now() + clock_offset FROM workspaces WHERE id = $1"
SETTLE = """
UPDATE media SET status = $4, upload_id = $5, error = $6
 WHERE workspace_id = $1 AND id = $2 AND attempts = $3 AND status = 'fetching'
RETURNING *
"""


@dataclass(frozen=True, slots=True)
class _Claim:
    workspace_id: UUID
    id: UUID
    bundle_id: UUID
    kind: MediaKind
    source_url: str
    attempts: int


class _Superseded(Exception):  # noqa: N818 - a signal that rolls the settling back
    """The row was replaced, or another worker has it now."""


class MediaFetcher:
    """The handler of the job; ``run`` is what a :class:`JobRunner` calls.

    ``seconds`` bounds one download from its first byte sent to its last one received.
    """

    def __init__(
        self, ports: Ports, on_media_settled: MediaHook, *, seconds: float = DOWNLOAD_SECONDS
    ) -> None:
        self._ports = ports
        self._on_media_settled = on_media_settled
        self._seconds = seconds
        self._limits = media_limits(ports.settings)

    async def run(self, payload: dict[str, Any]) -> None:
        """Fetch ``{workspace_id, media_id}``, once.

        Raises:
            Exception: whatever went wrong, if another attempt is worth while.
        """
        claim = await self._claim(UUID(payload["workspace_id"]), UUID(payload["media_id"]))
        if claim is None:
            return
        if claim.attempts > ATTEMPTS:
            # The attempts before this one neither succeeded nor lived to say why not.
            await self._settle(claim, error=_abandoned())
            return
        try:
            media, filename = await self._fetch(claim)
        except (OutboundFailure, ApiError, OSError) as error:
            if claim.attempts < ATTEMPTS and _may_pass(error):
                raise
            await self._settle(claim, error=_explain(error, claim.source_url))
            return
        try:
            await self._settle(claim, media=media, filename=filename)
        except BaseException:
            await asyncio.shield(
                discard_unrecorded(self._ports, claim.workspace_id, media.storage_key)
            )
            raise

    async def _claim(self, workspace_id: UUID, media_id: UUID) -> _Claim | None:
        async with self._ports.database.connection() as conn:
            row = await conn.fetchrow(CLAIM, workspace_id, media_id)
            return None if row is None else _Claim(**row)

    async def _fetch(self, claim: _Claim) -> tuple[Ingested, str]:
        is_video = claim.kind == "video"
        ingest = ingest_video if is_video else ingest_image
        max_bytes = self._limits.video_max_bytes if is_video else self._limits.image_max_bytes
        async with _scratch_file(self._ports.settings.incoming) as path:
            url = await self._download(claim.source_url, path, max_bytes)
            media = await ingest(
                path,
                workspace_id=claim.workspace_id,
                storage=self._ports.storage,
                limits=self._limits,
            )
        return media, _filename(url, claim.kind)

    async def _download(self, source_url: str, path: Path, max_bytes: int) -> str:
        """Fill the file, and give the address that its bytes came from in the end."""
        async with self._ports.outbound.download(
            direct_download(source_url),
            max_bytes=max_bytes,
            total_timeout=self._seconds,
            max_redirects=_REDIRECTS,
        ) as download:
            await _save(download.chunks(), path)
            return download.url

    async def _settle(
        self,
        claim: _Claim,
        *,
        media: Ingested | None = None,
        filename: str = "",
        error: MediaError | None = None,
    ) -> None:
        """Write the outcome, unless the row is no longer the one that was claimed."""
        try:
            async with self._ports.database.connection() as conn:
                now = await conn.fetchval(NOW, claim.workspace_id)
                async with unit_of_work(conn, claim.workspace_id, now=now) as tx:
                    await lock_bundle(tx, claim.bundle_id)
                    upload_id = None
                    if media is not None:
                        upload_id = await record_upload(
                            tx=tx,
                            bundle_id=claim.bundle_id,
                            purpose=PURPOSE_OF[claim.kind],
                            filename=filename,
                            media=media,
                            source_url=claim.source_url,
                        )
                    await self._on_media_settled(tx, await _write(tx, claim, upload_id, error))
        except _Superseded:
            log.info("media_superseded", media_id=str(claim.id))
            if media is not None:
                await self._ports.storage.delete(media.storage_key)


async def _write(
    tx: UnitOfWork, claim: _Claim, upload_id: UUID | None, error: MediaError | None
) -> asyncpg.Record:
    row = await tx.conn.fetchrow(
        SETTLE,
        claim.workspace_id,
        claim.id,
        claim.attempts,
        "ready" if error is None else "failed",
        upload_id,
        error,
    )
    if row is None:
        raise _Superseded
    return row


@asynccontextmanager
async def _scratch_file(directory: Path) -> AsyncIterator[Path]:
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


async def _save(chunks: AsyncIterator[bytes], path: Path) -> None:
    """Write to disk by the mebibyte, in a thread: neither the disk nor a trickle stops the loop."""
    waiting = bytearray()
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in chunks:
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))


def _may_pass(error: OutboundFailure | ApiError | OSError) -> bool:
    """Tell whether the same request may have another outcome later."""
    if isinstance(error, OutboundFailure):
        if error.status is not None and error.error_class == "status":
            return error.status >= 500 or error.status in _PASSING_STATUSES
        return error.error_class in _PASSING_FAILURES
    return isinstance(error, OSError | DecodersBusyError)


def _explain(error: OutboundFailure | ApiError | OSError, url: str) -> MediaError:
    """Say why, for the customer; of the URL only the host, since the rest may be a secret."""
    if isinstance(error, ApiError):
        return MediaError(error.code, error.message)
    if isinstance(error, OutboundFailure):
        if error.error_class == "too_large":
            return MediaError("FILE_TOO_LARGE", f"{_host(url)}: {error.message}.")
        return MediaError(
            f"FETCH_{error.error_class.upper()}",
            f"{_host(url)}: {error.message}. Give an address that anybody can download from"
            " without signing in, or upload the file.",
        )
    log.error("media_not_stored", exc_info=error)
    return MediaError("FETCH_NOT_STORED", "The server could not store the file. Send it again.")


def _abandoned() -> MediaError:
    return MediaError(
        "FETCH_ABANDONED",
        f"None of {ATTEMPTS} attempts to fetch the file came to an end. Upload it instead.",
    )


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the host"


def _filename(url: str, kind: MediaKind) -> str:
    name = PurePosixPath(unquote(urlsplit(url).path)).name.replace("\0", "")
    return name[-_LONGEST_FILENAME:] or kind
