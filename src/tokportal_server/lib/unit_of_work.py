"""One transaction: facts first, then the journal, the counters and, last of all, the events.

The sequence of a workspace's events is the last lock that any transaction takes, because everything
that happens in the workspace queues up behind it. Nobody else touches it: operations call
:meth:`UnitOfWork.emit`, and the rows are written by the transaction's last statement.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection

WRITE_JOURNAL = """
INSERT INTO journal (workspace_id, kind, object_id, root_id, from_status, to_status,
                     actor_kind, actor_id, reason, at)
SELECT $1, r.kind, r.object_id, r.root_id, r.from_status, r.to_status,
       r.actor_kind, r.actor_id, r.reason, r.at
  FROM ROWS FROM (jsonb_to_recordset($2::jsonb)
                  AS (kind text, object_id uuid, root_id uuid, from_status text, to_status text,
                      actor_kind text, actor_id uuid, reason text, at timestamptz))
       WITH ORDINALITY AS r(kind, object_id, root_id, from_status, to_status, actor_kind, actor_id,
                            reason, at, n)
 ORDER BY r.n
"""
COUNT = """
INSERT INTO counters AS c (workspace_id, kind, status, n)
SELECT $1, r.kind, r.status, r.n
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS r(kind, status, n)
 ORDER BY r.kind, r.status
ON CONFLICT (workspace_id, kind, status) DO UPDATE SET n = c.n + excluded.n
"""
EMIT = """
WITH taken AS (
    INSERT INTO event_sequences AS s (workspace_id, last) VALUES ($1, cardinality($2::text[]))
    ON CONFLICT (workspace_id) DO UPDATE SET last = s.last + excluded.last
    RETURNING last
)
INSERT INTO events (workspace_id, sequence, id, type, data, created_at)
SELECT $1, taken.last - cardinality($2::text[]) + e.n, e.id, e.type, e.data, e.created_at
  FROM taken,
       unnest($2::text[], $3::text[], $4::jsonb[], $5::timestamptz[])
       WITH ORDINALITY AS e(id, type, data, created_at, n)
"""
# The form that contract section 4 gives to ids of things that a dry run only imagined.
DRY_RUN_PREFIX = "00000000-0000-4000-8000-"


@dataclass(slots=True)
class UnitOfWork:
    """The open transaction that an operation works in; ``now`` is the workspace's clock."""

    conn: Connection
    workspace_id: UUID
    now: datetime
    dry_run: bool = False
    _journal: list[dict[str, Any]] = field(default_factory=list)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _events: list[tuple[str, str, Mapping[str, Any], datetime]] = field(default_factory=list)

    def new_id(self) -> UUID:
        """Make an id for a new row; in a dry run one that says so by its form."""
        return UUID(DRY_RUN_PREFIX + secrets.token_hex(6)) if self.dry_run else uuid4()

    def emit(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Have an event written at the end of the transaction, stamped with the workspace's now."""
        self._events.append((f"evt_{secrets.token_hex(16)}", event_type, data, self.now))

    def record(
        self,
        kind: str,
        object_id: UUID,
        *,
        root_id: UUID,
        source: str | None,
        target: str,
        actor: Actor,
        reason: str | None = None,
    ) -> None:
        """Have a change of status written to the journal, and count it."""
        self._journal.append(
            {
                "kind": kind,
                "object_id": object_id,
                "root_id": root_id,
                "from_status": source,
                "to_status": target,
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "reason": reason,
                "at": self.now,
            }
        )
        if source is not None:
            self._counts[kind, source] -= 1
        self._counts[kind, target] += 1

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Try something: if it raises, the database and what was collected are as before."""
        journal, counts, events = len(self._journal), self._counts.copy(), len(self._events)
        try:
            async with self.conn.transaction():
                yield
        except BaseException:
            del self._journal[journal:], self._events[events:]
            self._counts = counts
            raise

    async def flush(self) -> None:
        """Write what was collected. Called once, by :func:`unit_of_work`."""
        if self._journal:
            await self.conn.execute(WRITE_JOURNAL, self.workspace_id, self._journal)
        changed = [(kind, status, n) for (kind, status), n in self._counts.items() if n]
        if changed:
            kinds, statuses, deltas = zip(*changed, strict=True)
            await self.conn.execute(COUNT, self.workspace_id, kinds, statuses, deltas)
        if self._events:
            ids, types, data, times = zip(*self._events, strict=True)
            await self.conn.execute(EMIT, self.workspace_id, ids, types, data, times)


class _RollBack(Exception):  # noqa: N818 - a signal of this module to itself, not an error
    """Ends a dry run's transaction."""


@asynccontextmanager
async def unit_of_work(
    conn: Connection, workspace_id: UUID, *, now: datetime, dry_run: bool = False
) -> AsyncIterator[UnitOfWork]:
    """Open a transaction on ``conn``; commit facts, journal, counters and events together.

    A dry run takes the same path and rolls everything back; it emits nothing.
    """
    work = UnitOfWork(conn, workspace_id, now, dry_run)
    try:
        async with conn.transaction():
            yield work
            if dry_run:
                raise _RollBack  # noqa: TRY301 - raising is how a transaction is told to roll back
            await work.flush()
    except _RollBack:
        return
