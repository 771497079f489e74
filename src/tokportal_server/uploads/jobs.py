"""The job ``fetch_media``: bring a file from somebody else's address, or from quarantine, in.

1. Claim the row: count the attempt, and learn what to fetch.
2. Copy it to a local file, probe or rewrite it, store it: no transaction is open meanwhile.
3. In one transaction, behind the bundle's lock: record the upload, make the row ready and tell the
   owner's slice, if the row is still the one that was claimed. If not, let go of the object.
4. What fails is tried three times in all, unless trying again cannot help; then the row fails, with
   the reason, and the owner's slice is told as well.

A presigned upload may be in use at several places, each with a job of its own. Every job decodes a
copy that no later PUT can reach and stores it under a key of its own; whoever settles first decides
what the promised address shows, and the others take that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from tokportal_server.lib.loops import Pace
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.uploads.fetching import (
    FETCH_ERRORS,
    NotUploadedError,
    explain,
    fetch_url,
    filename_of,
    may_pass,
    save,
    scratch_file,
)
from tokportal_server.uploads.ingest import Ingested, ingest_image, ingest_video
from tokportal_server.uploads.limits import file_too_large, media_limits
from tokportal_server.uploads.media import PURPOSE_OF
from tokportal_server.uploads.operations.record_upload import (
    discard_unrecorded,
    discarding_unrecorded,
    record_upload,
)
from tokportal_server.uploads.presigned import quarantine_key
from tokportal_server.uploads.wire import MediaError, MediaKind

log = structlog.get_logger(__name__)

MediaHook = Callable[[UnitOfWork, asyncpg.Record], Awaitable[None]]
"""Told, in the settling transaction and with the bundle locked, about a row of ``media`` that has
become ready or failed."""

ATTEMPTS = 3
DOWNLOAD_SECONDS = 600.0
PROGRESS_SECONDS = 1.0

CLAIM = """
UPDATE media SET attempts = attempts + 1, received_bytes = 0
 WHERE workspace_id = $1 AND id = $2 AND status = 'fetching'
RETURNING workspace_id, id, bundle_id, kind, source_url, presigned_key, attempts
"""
NOTE_PROGRESS = """
UPDATE media SET received_bytes = $4
 WHERE workspace_id = $1 AND id = $2 AND attempts = $3 AND status = 'fetching'
"""
FIND_PRESIGNED = """
SELECT filename FROM presigned_uploads WHERE workspace_id = $1 AND storage_key = $2
"""
END_QUARANTINE = """
DELETE FROM presigned_uploads WHERE workspace_id = $1 AND storage_key = $2
RETURNING bundle_id, filename
"""
FIND_UPLOAD = "SELECT id FROM uploads WHERE workspace_id = $1 AND storage_key = $2"
NOW = "SELECT now() + clock_offset FROM workspaces WHERE id = $1"
SETTLE = """
UPDATE media SET status = $4, upload_id = $5, error = $6
 WHERE workspace_id = $1 AND id = $2 AND attempts = $3 AND status = 'fetching'
RETURNING *
"""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A row of ``media``: ``presigned_key`` if it is in quarantine, else ``source_url``."""

    workspace_id: UUID
    id: UUID
    bundle_id: UUID
    kind: MediaKind
    source_url: str | None
    presigned_key: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class _Fetched:
    media: Ingested
    filename: str


class _Superseded(Exception):  # noqa: N818 - a signal that rolls the settling back
    """The row was replaced, or another worker has it now."""


class MediaFetcher:
    """The handler of the job; ``run`` is what a :class:`JobRunner` calls.

    ``seconds`` bounds one download from its first byte sent to its last one received;
    ``progress_seconds`` is how often the row is told how much has arrived.
    """

    def __init__(
        self,
        ports: Ports,
        on_media_settled: MediaHook,
        *,
        seconds: float = DOWNLOAD_SECONDS,
        progress_seconds: float = PROGRESS_SECONDS,
    ) -> None:
        self._ports = ports
        self._on_media_settled = on_media_settled
        self._seconds = seconds
        self._progress_seconds = progress_seconds
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
            fetched = await self._get(claim)
        except FETCH_ERRORS as error:
            if claim.attempts < ATTEMPTS and may_pass(error):
                raise
            await self._settle(claim, error=explain(error, claim.source_url))
            return
        stored = None if fetched is None else fetched.media.storage_key
        async with discarding_unrecorded(self._ports, claim.workspace_id, stored):
            await self._settle(claim, fetched=fetched)
        if stored is not None:
            # The row may have become another one's meanwhile.
            await asyncio.shield(discard_unrecorded(self._ports, claim.workspace_id, stored))
        if claim.presigned_key is not None:
            await self._clear_quarantine(claim.presigned_key)

    async def _claim(self, workspace_id: UUID, media_id: UUID) -> _Claim | None:
        async with self._ports.database.connection() as conn:
            row = await conn.fetchrow(CLAIM, workspace_id, media_id)
            return None if row is None else _Claim(**row)

    async def _get(self, claim: _Claim) -> _Fetched | None:
        """Fetch the file; None if another use has made an upload of it, before or meanwhile."""
        if await self._has_upload(claim):
            return None
        try:
            return await self._fetch(claim)
        except NotUploadedError:
            if await self._has_upload(claim):
                return None
            raise

    async def _has_upload(self, claim: _Claim) -> bool:
        if claim.presigned_key is None:
            return False
        async with self._ports.database.connection() as conn:
            found = await conn.fetchval(FIND_UPLOAD, claim.workspace_id, claim.presigned_key)
        return found is not None

    async def _fetch(self, claim: _Claim) -> _Fetched:
        is_video = claim.kind == "video"
        ingest = ingest_video if is_video else ingest_image
        max_bytes = self._limits.video_max_bytes if is_video else self._limits.image_max_bytes
        async with scratch_file(self._ports.settings.incoming) as path:
            if claim.presigned_key is not None:
                filename = await self._copy(claim, claim.presigned_key, path, max_bytes)
            else:
                filename = await self._download(claim, path, max_bytes)
            media = await ingest(
                path,
                workspace_id=claim.workspace_id,
                storage=self._ports.storage,
                limits=self._limits,
            )
        return _Fetched(media, filename)

    async def _download(self, claim: _Claim, path: Path, max_bytes: int) -> str:
        url = await fetch_url(
            self._ports.outbound,
            claim.source_url or "",
            path,
            max_bytes=max_bytes,
            seconds=self._seconds,
            progress=_Progress(self._ports, claim, self._progress_seconds).note,
        )
        return filename_of(url, claim.kind)

    async def _copy(self, claim: _Claim, key: str, path: Path, max_bytes: int) -> str:
        """Copy what was PUT out of quarantine, and give the name that it was announced with."""
        size = await self._ports.storage.head(quarantine_key(key))
        async with self._ports.database.connection() as conn:
            filename = await conn.fetchval(FIND_PRESIGNED, claim.workspace_id, key)
        if size is None or filename is None:
            raise NotUploadedError
        if size > max_bytes:
            raise file_too_large(max_bytes, size)
        if size:
            try:
                chunks = await self._ports.storage.get_range(quarantine_key(key), 0, size)
            except FileNotFoundError:
                raise NotUploadedError from None
            await save(chunks, path)
        return str(filename)

    async def _clear_quarantine(self, presigned_key: str) -> None:
        # What cannot be deleted now is swept later.
        with suppress(Exception):
            await self._ports.storage.delete(quarantine_key(presigned_key))

    async def _settle(
        self, claim: _Claim, *, fetched: _Fetched | None = None, error: MediaError | None = None
    ) -> None:
        """Write the outcome, unless the row is no longer the one that was claimed."""
        try:
            async with self._ports.database.connection() as conn:
                now = await conn.fetchval(NOW, claim.workspace_id)
                async with unit_of_work(conn, claim.workspace_id, now=now) as tx:
                    await lock_bundle(tx, claim.bundle_id)
                    upload_id = None if error else await _record(tx, claim, fetched)
                    await self._on_media_settled(tx, await _write(tx, claim, upload_id, error))
        except _Superseded:
            log.info("media_superseded", media_id=str(claim.id))


async def _record(tx: UnitOfWork, claim: _Claim, fetched: _Fetched | None) -> UUID:
    """Give the upload that the row becomes: a new one, or the one that another use has made."""
    bundle_id = claim.bundle_id
    if claim.presigned_key is not None:
        # Whoever deletes the row is the first; the next one waits here until that is committed.
        row = await tx.conn.fetchrow(END_QUARANTINE, claim.workspace_id, claim.presigned_key)
        made: UUID | None = await tx.conn.fetchval(
            FIND_UPLOAD, claim.workspace_id, claim.presigned_key
        )
        if made is not None:
            return made
        bundle_id = bundle_id if row is None else row["bundle_id"]
    if fetched is None:
        # The upload that was there a moment ago was swept. The next attempt will say so.
        raise NotUploadedError
    return await record_upload(
        tx=tx,
        bundle_id=bundle_id,
        purpose=PURPOSE_OF[claim.kind],
        filename=fetched.filename,
        media=fetched.media,
        source_url=claim.source_url,
        promised_key=claim.presigned_key,
    )


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


class _Progress:
    """Writes down now and then how much of a download has arrived."""

    def __init__(self, ports: Ports, claim: _Claim, every_seconds: float) -> None:
        self._ports = ports
        self._claim = claim
        self._pace = Pace(every_seconds)
        self._pace.rest()

    async def note(self, received: int) -> None:
        if not self._pace.is_due():
            return
        self._pace.rest()
        claim = self._claim
        # A download does not end because nobody can be told how far it is.
        with suppress(Exception):
            async with self._ports.database.connection() as conn:
                await conn.execute(
                    NOTE_PROGRESS, claim.workspace_id, claim.id, claim.attempts, received
                )


def _abandoned() -> MediaError:
    return MediaError(
        "FETCH_ABANDONED",
        f"None of {ATTEMPTS} attempts to fetch the file came to an end. Upload it instead.",
    )
