"""One transaction: facts first, then the journal, the counters and, last of all, the events.

The sequence of a workspace's events is the last lock that any transaction takes, because everything
that happens in the workspace queues up behind it. Nobody else touches it: operations call
:meth:`UnitOfWork.emit`, and the rows are written by the transaction's last statement.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from tokportal_server.lib import tracing
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import UNAVAILABLE, Connection, outcome_unknown

WRITE_CHANGES = "SELECT write_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
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

    def emit(self, event_type: str, data: Mapping[str, Any]) -> str:
        """Have an event written at the end of the transaction, stamped with the workspace's now.

        Gives the id that it will have.
        """
        event_id = f"evt_{secrets.token_hex(16)}"
        self._events.append((event_id, event_type, data, self.now))
        return event_id

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
        if not (self._journal or self._events):
            return
        counts = [(kind, status, n) for (kind, status), n in self._counts.items() if n]
        await self.conn.execute(
            WRITE_CHANGES,
            self.workspace_id,
            self._journal,
            *_columns(counts, 3),
            *_columns(self._events, 4),
            tracing.carried(),
        )


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Turn rows of ``width`` values around, as arrays go to PostgreSQL."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


class _RollBack(Exception):  # noqa: N818 - a signal of this module to itself, not an error
    """Ends a dry run's transaction."""


@asynccontextmanager
async def unit_of_work(
    conn: Connection, workspace_id: UUID, *, now: datetime, dry_run: bool = False
) -> AsyncIterator[UnitOfWork]:
    """Open a transaction on ``conn``; commit facts, journal, counters and events together.

    A dry run takes the same path and rolls everything back; it emits nothing.

    Raises:
        OutcomeUnknownError: the database was lost during the commit, which it may have done.
    """
    work = UnitOfWork(conn, workspace_id, now, dry_run)
    committing = False
    try:
        async with conn.transaction():
            yield work
            if dry_run:
                raise _RollBack  # noqa: TRY301 - raising is how a transaction is told to roll back
            await work.flush()
            committing = True
    except _RollBack:
        return
    except UNAVAILABLE as error:
        if not committing:
            raise
        raise outcome_unknown() from error
