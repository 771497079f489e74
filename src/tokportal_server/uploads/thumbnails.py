"""The job ``make_thumbnail``: a small picture of each upload, for lists in pages.

1. Read what the upload is; one that is gone, or has its thumbnail, needs nothing.
2. Decode and shrink it in a limited child process, and store the JPEG: no transaction is open.
3. Record it. If the upload was swept meanwhile, or another run was first, let go of the object.

Nothing waits for a thumbnail: what cannot be shrunk has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import make_key
from tokportal_server.uploads.fetching import may_pass, scratch_file
from tokportal_server.uploads.limits import media_limits
from tokportal_server.uploads.probe import ImageFacts, make_thumbnail

log = structlog.get_logger(__name__)

FIND_UPLOAD = """
SELECT COALESCE(u.object_key, u.storage_key) AS object_key, u.content_type FROM uploads u
 WHERE u.workspace_id = $1 AND u.id = $2
   AND NOT EXISTS (SELECT FROM thumbnails t WHERE t.workspace_id = $1 AND t.upload_id = $2)
"""
INSERT_THUMBNAIL = """
INSERT INTO thumbnails (workspace_id, upload_id, storage_key, size_bytes, width, height, sha256)
SELECT u.workspace_id, u.id, $3, $4, $5, $6, $7 FROM uploads u
 WHERE u.workspace_id = $1 AND u.id = $2
   FOR KEY SHARE
ON CONFLICT (workspace_id, upload_id) DO NOTHING
RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class _Thumbnail:
    storage_key: str
    sha256: str
    facts: ImageFacts


class ThumbnailMaker:
    """The handler of the job; ``run`` is what a :class:`JobRunner` calls."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._limits = media_limits(ports.settings)

    async def run(self, payload: dict[str, Any]) -> None:
        """Make the thumbnail of ``{workspace_id, upload_id}``, if it has none.

        Raises:
            Exception: whatever went wrong, if another attempt is worth while.
        """
        workspace_id, upload_id = UUID(payload["workspace_id"]), UUID(payload["upload_id"])
        async with self._ports.database.connection() as conn:
            upload = await conn.fetchrow(FIND_UPLOAD, workspace_id, upload_id)
        if upload is None:
            return
        try:
            made = await self._make(workspace_id, upload)
        except (ApiError, FileNotFoundError) as error:
            if isinstance(error, ApiError) and may_pass(error):
                raise
            log.warning("no_thumbnail", upload_id=str(upload_id), error=str(error))
            return
        # If the database is lost meanwhile, nobody knows: then the object is left to the sweep.
        if not await self._record(workspace_id, upload_id, made):
            await self._ports.storage.delete(made.storage_key)

    async def _make(self, workspace_id: UUID, upload: asyncpg.Record) -> _Thumbnail:
        storage = self._ports.storage
        async with (
            storage.local_path(upload["object_key"]) as source,
            scratch_file(self._ports.settings.incoming) as target,
        ):
            facts = await make_thumbnail(
                source, target, upload["content_type"], limits=self._limits
            )
            key = make_key(workspace_id.hex, ".jpg")
            stored = await storage.put_file(key, target)
        return _Thumbnail(key, stored.sha256, facts)

    async def _record(self, workspace_id: UUID, upload_id: UUID, made: _Thumbnail) -> bool:
        async with self._ports.database.connection() as conn:
            recorded = await conn.fetchval(
                INSERT_THUMBNAIL,
                workspace_id,
                upload_id,
                made.storage_key,
                made.facts.size_bytes,
                made.facts.width,
                made.facts.height,
                made.sha256,
            )
        return recorded is not None
