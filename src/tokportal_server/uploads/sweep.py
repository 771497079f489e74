"""What nobody uses goes: presigned addresses, uploads, and objects that no row knows.

1. Every minute: presigned uploads that nobody used for a day, with what lies in quarantine.
2. Once a day, by one of all workers: uploads of seven days ago and more to which nothing refers.
   Their rows go first, then their objects; a crash between leaves objects for the next step.
3. Then the store is listed: objects a day old that no row knows, in workspaces of this database;
   and what killed processes left half written.

Ages are of the real clock. What refers to an upload is a row of ``media`` or a text of the view
``media_mentions``; it is asked twice, the second time with the upload locked against new uses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.loops import Pace
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import Listed
from tokportal_server.uploads.presigned import quarantine_key

log = structlog.get_logger(__name__)

_MINUTE = 60.0
_BATCH = 500
# An object is stored before its row, and a job may be at work on it for a while.
_ORPHAN_AGE = timedelta(days=1)
_KEY = re.compile(r"(?:quarantine/)?([0-9a-f]{32})/[0-9a-f]{40}(?:\.[a-z0-9]+)?")

FORGET_PRESIGNED = """
DELETE FROM presigned_uploads WHERE (workspace_id, storage_key) IN (
    SELECT p.workspace_id, p.storage_key FROM presigned_uploads p
     WHERE p.recorded_at < now() - interval '24 hours'
       AND NOT EXISTS (SELECT FROM media m
                        WHERE m.workspace_id = p.workspace_id AND m.presigned_key = p.storage_key
                          AND m.status = 'fetching')
     ORDER BY p.workspace_id, p.storage_key
     LIMIT $1
       FOR UPDATE SKIP LOCKED)
RETURNING storage_key
"""
TAKE_TURN = """
UPDATE sweeps SET due_at = now() + interval '24 hours' WHERE name = 'media' AND due_at <= now()
RETURNING 1
"""
LOCK_UNUSED = """
SELECT u.workspace_id, u.id FROM uploads u
 WHERE u.recorded_at < now() - interval '7 days'
   AND NOT EXISTS (SELECT FROM media m
                    WHERE m.workspace_id = u.workspace_id AND m.upload_id = u.id)
   AND NOT EXISTS (SELECT FROM media_mentions n
                    WHERE n.workspace_id = u.workspace_id AND n.storage_key = u.storage_key)
 ORDER BY u.workspace_id, u.id
 LIMIT $1
   FOR UPDATE SKIP LOCKED
"""
DELETE_UNUSED = """
WITH gone AS (
    DELETE FROM uploads u
     WHERE (u.workspace_id, u.id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
       AND NOT EXISTS (SELECT FROM media m
                        WHERE m.workspace_id = u.workspace_id AND m.upload_id = u.id)
    RETURNING u.workspace_id, u.id, COALESCE(u.object_key, u.storage_key) AS key
), small AS (
    DELETE FROM thumbnails t USING gone
     WHERE t.workspace_id = gone.workspace_id AND t.upload_id = gone.id
    RETURNING t.storage_key AS key
)
SELECT key FROM gone UNION ALL SELECT key FROM small
"""
FIND_ORPHANS = """
SELECT o.key FROM unnest($1::uuid[], $2::text[]) AS o(workspace_id, key)
  JOIN workspaces w ON w.id = o.workspace_id
 WHERE NOT EXISTS (SELECT FROM uploads u
                    WHERE u.workspace_id = o.workspace_id AND u.storage_key = o.key)
   AND NOT EXISTS (SELECT FROM uploads u
                    WHERE u.workspace_id = o.workspace_id AND u.object_key = o.key)
   AND NOT EXISTS (SELECT FROM thumbnails t
                    WHERE t.workspace_id = o.workspace_id AND t.storage_key = o.key)
   AND NOT EXISTS (SELECT FROM presigned_uploads p
                    WHERE p.workspace_id = o.workspace_id
                      AND 'quarantine/' || p.storage_key = o.key)
"""


class MediaSweep:
    """The worker's loop."""

    name = "media_sweep"

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._pace = Pace(_MINUTE)

    async def run_once(self) -> int:
        """Sweep what is due; give how many uploads and objects went."""
        if not self._pace.is_due():
            return 0
        gone = await self.forget_presigned()
        async with self._ports.database.connection() as conn:
            my_turn = await conn.fetchval(TAKE_TURN)
        if my_turn:
            gone += await self.delete_unused() + await self.delete_orphans()
            gone += await self._ports.storage.tidy(age=_ORPHAN_AGE)
        if not gone:
            self._pace.rest()
        return gone

    async def forget_presigned(self) -> int:
        """Forget addresses that were given out a day ago and not used."""
        async with self._ports.database.connection() as conn:
            rows = await conn.fetch(FORGET_PRESIGNED, _BATCH)
        await self._delete([quarantine_key(row["storage_key"]) for row in rows])
        return len(rows)

    async def delete_unused(self) -> int:
        """Delete the uploads of a week ago to which nothing refers."""
        deleted = 0
        while True:
            async with self._ports.database.connection() as conn, conn.transaction():
                unused = await conn.fetch(LOCK_UNUSED, _BATCH)
                workspaces, ids = ([row[n] for row in unused] for n in (0, 1))
                rows = await conn.fetch(DELETE_UNUSED, workspaces, ids)
            await self._delete([row["key"] for row in rows])
            deleted += len(rows)
            if not rows:
                return deleted

    async def delete_orphans(self) -> int:
        """Delete the objects that no row knows. Keys of another installation stay."""
        limit = real_now() - _ORPHAN_AGE
        batch: list[tuple[UUID, str]] = []
        deleted = 0
        async for listed in self._ports.storage.listing():
            workspace_id = _workspace_of(listed)
            if workspace_id is None or listed.modified_at > limit:
                continue
            batch.append((workspace_id, listed.key))
            if len(batch) == _BATCH:
                deleted += await self._delete_orphans_among(batch)
                batch.clear()
        return deleted + await self._delete_orphans_among(batch)

    async def _delete_orphans_among(self, batch: Sequence[tuple[UUID, str]]) -> int:
        if not batch:
            return 0
        workspaces, keys = zip(*batch, strict=True)
        async with self._ports.database.connection() as conn:
            orphans = [row["key"] for row in await conn.fetch(FIND_ORPHANS, workspaces, keys)]
        if orphans:
            log.warning("orphaned_objects", count=len(orphans), first=orphans[0][:60])
        await self._delete(orphans)
        return len(orphans)

    async def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self._ports.storage.delete(key)


def _workspace_of(listed: Listed) -> UUID | None:
    """Read the workspace from a key of ours; None for what somebody else keeps in the store."""
    found = _KEY.fullmatch(listed.key)
    return None if found is None else UUID(hex=found[1])
