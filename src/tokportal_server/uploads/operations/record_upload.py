"""Record a stored file, in the transaction of whoever asked for it; or let go of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from tokportal_server.lib.db import OutcomeUnknownError
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.uploads.ingest import Ingested
from tokportal_server.uploads.wire import Purpose

log = structlog.get_logger(__name__)

MAKE_THUMBNAIL = "make_thumbnail"

INSERT_UPLOAD = """
INSERT INTO uploads (workspace_id, id, bundle_id, purpose, filename, storage_key, content_type,
                     size_bytes, width, height, duration_seconds, sha256, source_url, created_at,
                     object_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
IS_RECORDED = """
SELECT 1 FROM uploads WHERE workspace_id = $1 AND (storage_key = $2 OR object_key = $2)
"""


async def record_upload(
    *,
    tx: UnitOfWork,
    bundle_id: UUID,
    purpose: Purpose,
    filename: str,
    media: Ingested,
    source_url: str | None = None,
    promised_key: str | None = None,
) -> UUID:
    """Make the file usable in the workspace, and give its id; a job will make its thumbnail.

    ``filename`` is for display; ``source_url`` is where the file was fetched from, if it was;
    ``promised_key`` is the storage key that its owner was given before it came, if one was.
    """
    upload_id = tx.new_id()
    await tx.conn.execute(
        INSERT_UPLOAD,
        tx.workspace_id,
        upload_id,
        bundle_id,
        purpose,
        filename,
        promised_key or media.storage_key,
        media.content_type,
        media.size_bytes,
        media.width,
        media.height,
        media.duration_seconds,
        media.sha256,
        source_url,
        tx.now,
        media.storage_key if promised_key else None,
    )
    await enqueue(
        tx.conn, MAKE_THUMBNAIL, {"workspace_id": tx.workspace_id, "upload_id": upload_id}
    )
    return upload_id


@asynccontextmanager
async def discarding_unrecorded(
    ports: Ports, workspace_id: UUID, storage_key: str | None
) -> AsyncIterator[None]:
    """Delete a stored object, if there is one, when the block that records it fails.

    If nobody knows whether it was recorded it may be by now, or in a moment: the sweep has it then.
    """
    try:
        yield
    except OutcomeUnknownError:
        raise
    except BaseException:
        if storage_key is not None:
            await asyncio.shield(discard_unrecorded(ports, workspace_id, storage_key))
        raise


async def discard_unrecorded(ports: Ports, workspace_id: UUID, storage_key: str) -> None:
    """Delete a stored object whose transaction did not commit.

    A connection that breaks during COMMIT leaves it open whether the row is there, so it is asked
    for: an object without a row wastes space, a row without an object is a broken order.
    """
    try:
        async with ports.database.connection() as conn:
            recorded = await conn.fetchval(IS_RECORDED, workspace_id, storage_key)
        if not recorded:
            await ports.storage.delete(storage_key)
    except Exception:
        # Whoever calls is already on the way out with an error, which says more than this one.
        log.exception("object_left", storage_key=storage_key)
