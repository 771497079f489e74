"""Reading the audit log: newest first, by who, what, which, from when to when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tokportal_server.lib.db import Connection, Database
from tokportal_server.orders.locks import Row

# Each of the two ways reads an index: by what it is about, or the log from its end.
ENTRIES = """
SELECT a.workspace_id, a.id, a.action, a.subject_kind, a.subject_id, a.actor_kind, a.actor_id,
       a.address, a.reason, a.details, a.ordinal, a.recorded_at,
       COALESCE(p.name, k.name) AS actor_name, p.email AS actor_email, w.name AS workspace,
       s.name AS subject_name
  FROM audit a
  LEFT JOIN people p ON p.id = a.actor_id
  LEFT JOIN api_keys k ON k.workspace_id = a.workspace_id AND k.id = a.actor_id
  LEFT JOIN workspaces w ON w.id = a.workspace_id
  LEFT JOIN people s ON a.subject_kind = 'person' AND s.id = a.subject_id
 WHERE ($1::bigint IS NULL OR a.ordinal < $1)
   AND ($2::text IS NULL OR a.action = $2)
   AND ($3::text IS NULL OR lower(p.email) = lower($3) OR lower(p.name) = lower($3))
   AND ($4::uuid IS NULL OR a.subject_id = $4 OR a.workspace_id = $4 OR a.actor_id = $4)
   AND ($5::timestamptz IS NULL OR a.recorded_at >= $5)
   AND ($6::timestamptz IS NULL OR a.recorded_at < $6)
 ORDER BY a.ordinal DESC LIMIT $7
"""
ENTRY = """
SELECT a.*, COALESCE(p.name, k.name) AS actor_name, p.email AS actor_email, w.name AS workspace,
       s.name AS subject_name
  FROM audit a
  LEFT JOIN people p ON p.id = a.actor_id
  LEFT JOIN api_keys k ON k.workspace_id = a.workspace_id AND k.id = a.actor_id
  LEFT JOIN workspaces w ON w.id = a.workspace_id
  LEFT JOIN people s ON a.subject_kind = 'person' AND s.id = a.subject_id
 WHERE a.ordinal = $1
"""
ABOUT = """
SELECT a.action, a.reason, a.recorded_at, a.ordinal, a.actor_kind,
       COALESCE(p.name, k.name) AS actor_name
  FROM audit a
  LEFT JOIN people p ON p.id = a.actor_id
  LEFT JOIN api_keys k ON k.workspace_id = a.workspace_id AND k.id = a.actor_id
 WHERE a.workspace_id = $1 AND a.subject_id = $2 ORDER BY a.ordinal DESC LIMIT 20
"""
# From one action to the next by the index, however many entries each has.
ACTIONS = """
WITH RECURSIVE known AS (
    (SELECT action FROM audit ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT a.action FROM audit a WHERE a.action > known.action ORDER BY a.action LIMIT 1)
      FROM known WHERE known.action IS NOT NULL
)
SELECT action FROM known WHERE action IS NOT NULL
"""
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries: what is None is not asked for. ``who`` is a person's address or name.

    ``which`` is the id of what an entry is about, of its workspace or of who acted; the end is not
    included.
    """

    action: str | None = None
    who: str | None = None
    which: UUID | None = None
    begin: datetime | None = None
    end: datetime | None = None


async def read_log(conn: Connection, wanted: Filter, *, before: int | None, most: int) -> list[Row]:
    """Give entries, the newest first, from the one with the ordinal ``before`` on."""
    rows: list[Any] = await conn.fetch(
        ENTRIES,
        before,
        wanted.action,
        wanted.who,
        wanted.which,
        wanted.begin,
        wanted.end,
        most,
    )
    return rows


async def all_entries(database: Database, wanted: Filter) -> AsyncIterator[Row]:
    """Give every entry that fits, in batches, on connections that are held for one batch each."""
    before = None
    while True:
        async with database.connection() as conn:
            rows = await read_log(conn, wanted, before=before, most=_BATCH)
        for row in rows:
            yield row
        if len(rows) < _BATCH:
            return
        before = rows[-1]["ordinal"]


async def find_entry(conn: Connection, ordinal: int) -> Row | None:
    """Give one entry, or None."""
    return await conn.fetchrow(ENTRY, ordinal)


async def about(conn: Connection, workspace_id: UUID, subject_id: UUID) -> list[Row]:
    """Give the newest entries about one thing, at most twenty."""
    rows: list[Any] = await conn.fetch(ABOUT, workspace_id, subject_id)
    return rows


async def known_actions(conn: Connection) -> list[str]:
    """Give the actions that the log has, by name."""
    return [row["action"] for row in await conn.fetch(ACTIONS)]
