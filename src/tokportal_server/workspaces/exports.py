"""Archives of a workspace that its owner asked for: wanted, made by a job, kept for a week.

1. The owner asks; a row is written, and with it the job.
2. A worker writes the archive into the media store, under a key that nothing is served by.
3. Whoever owns the workspace then fetches it through their session, until it expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.loops import Pace
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import make_key
from tokportal_server.workspaces.archive import Archive
from tokportal_server.workspaces.audit import write_audit

ASK = """
INSERT INTO workspace_exports (workspace_id, storage_key, asked_by, expires_at)
VALUES ($1, $2, $3, now() + $4::interval) RETURNING id
"""
LIST = """
SELECT x.id, x.state, x.storage_key, x.rows, x.files, x.size_bytes, x.asked_at, x.made_at,
       x.expires_at, p.name AS asked_by
  FROM workspace_exports x LEFT JOIN people p ON p.id = x.asked_by
 WHERE x.workspace_id = $1 AND x.expires_at > now() ORDER BY x.asked_at DESC, x.id LIMIT 20
"""
TO_MAKE = """
SELECT storage_key FROM workspace_exports WHERE workspace_id = $1 AND id = $2 AND state <> 'made'
"""
# Its week begins when it is there.
MADE = """
UPDATE workspace_exports
   SET state = 'made', made_at = now(), rows = $3, files = $4, size_bytes = $5,
       expires_at = now() + $6::interval
 WHERE workspace_id = $1 AND id = $2 AND state <> 'made' RETURNING 1
"""
FAILED = """
UPDATE workspace_exports SET state = 'failed'
 WHERE workspace_id = $1 AND id = $2 AND state = 'waiting'
"""
EXPIRED = """
SELECT workspace_id, id, storage_key FROM workspace_exports
 WHERE expires_at <= now() ORDER BY expires_at LIMIT 100
"""
FORGET = "DELETE FROM workspace_exports WHERE workspace_id = $1 AND id = $2"

KEPT: Final = timedelta(days=7)
EXPORT_JOB: Final = "workspace_export"
_LOOK_SECONDS: Final = 60.0


class ExportWaitingError(ApiError):
    """An archive of the workspace is being made already."""

    code = "EXPORT_WAITING"
    status = 409
    remedy = "Nobody: the archive that was asked for is being made; fetch that one."


@dataclass(frozen=True, slots=True)
class Export:
    """An archive; ``size_bytes`` and ``made_at`` are None until it is there. Times are real."""

    id: UUID
    state: Literal["waiting", "made", "failed"]
    storage_key: str
    rows: int
    files: int
    size_bytes: int | None
    asked_at: datetime
    made_at: datetime | None
    expires_at: datetime
    asked_by: str | None


def export_prefix(workspace_id: UUID) -> str:
    """Give where the archives of a workspace lie in the media store."""
    return f"exports/{workspace_id.hex}"


async def ask_for_export(
    conn: Connection, workspace_id: UUID, *, actor: Actor, person_id: UUID
) -> UUID:
    """Want an archive of a workspace; give its id.

    Raises:
        ExportWaitingError: one is being made already.
    """
    key = make_key(export_prefix(workspace_id), ".zip")
    try:
        async with conn.transaction():
            made: UUID = await conn.fetchval(ASK, workspace_id, key, person_id, KEPT)
            await enqueue(conn, EXPORT_JOB, {"workspace_id": workspace_id, "export_id": made})
            await write_audit(
                conn,
                workspace_id=workspace_id,
                action="workspace.export",
                subject=("workspace", workspace_id),
                actor=actor,
            )
    except asyncpg.UniqueViolationError:
        raise ExportWaitingError("An archive of this workspace is being made already.") from None
    return made


async def list_exports(conn: Connection, workspace_id: UUID) -> list[Export]:
    """Give the archives of a workspace, the last one asked for first."""
    return [Export(**row) for row in await conn.fetch(LIST, workspace_id)]


class ExportMaker:
    """The job that makes an archive; run again, it makes it anew under the same key."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def run(self, payload: dict[str, Any]) -> None:
        """Make what was asked for, unless it was made or forgotten meanwhile."""
        key = UUID(payload["workspace_id"]), UUID(payload["export_id"])
        database, storage = self._ports.database, self._ports.storage
        async with database.connection() as conn:
            storage_key: str | None = await conn.fetchval(TO_MAKE, *key)
        if storage_key is None:
            return
        archive = Archive(key[0])
        try:
            stored = await storage.put_stream(storage_key, archive.chunks(database, storage))
        except Exception:
            async with database.connection() as conn:
                await conn.execute(FAILED, *key)
            raise
        async with database.connection() as conn:
            kept = await conn.fetchval(MADE, *key, archive.total, archive.files, stored.size, KEPT)
        if kept is None:
            # The workspace was erased meanwhile: nobody may have this file.
            await storage.delete(storage_key)


class ExpiredExports:
    """The worker's loop that deletes archives which have had their week."""

    name = "expired_exports"

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._pace = Pace(_LOOK_SECONDS)

    async def run_once(self) -> int:
        """Once a minute: delete files, then their rows; give how many."""
        if not self._pace.is_due():
            return 0
        async with self._ports.database.connection() as conn:
            rows = await conn.fetch(EXPIRED)
        for row in rows:
            await self._ports.storage.delete(row["storage_key"])
            async with self._ports.database.connection() as conn:
                await conn.execute(FORGET, row["workspace_id"], row["id"])
        if not rows:
            self._pace.rest()
        return len(rows)
