"""Jobs that are held after their last attempt: looked at, run again, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from tokportal_server.lib.db import Connection
from tokportal_server.lib.redaction import redact_text

HELD = """
SELECT q.id, q.entrypoint AS name, q.payload, q.created, q.updated AS held_at, q.starts, l.traceback
  FROM pgqueuer q
  LEFT JOIN LATERAL (SELECT traceback FROM pgqueuer_log
                      WHERE job_id = q.id AND status = 'failed' ORDER BY id DESC LIMIT 1) l ON true
 WHERE q.status = 'failed' AND ($2::text IS NULL OR q.entrypoint = $2)
 ORDER BY q.updated DESC, q.id DESC LIMIT $1
"""
WAITING = """
SELECT entrypoint AS name,
       count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS due,
       count(*) FILTER (WHERE status = 'queued' AND execute_after > now()) AS later,
       count(*) FILTER (WHERE status = 'picked') AS running,
       count(*) FILTER (WHERE status = 'failed') AS held,
       min(execute_after) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS since
  FROM pgqueuer GROUP BY entrypoint ORDER BY entrypoint
"""
# As good as new: its starts are counted from none again.
RUN_AGAIN = """
UPDATE pgqueuer SET status = 'queued', starts = 0, unreported = false, suspect = false,
       execute_after = now(), updated = now()
 WHERE id = $1 AND status = 'failed' RETURNING entrypoint
"""
# With what it ended with: nobody asks for that any more.
GIVE_UP = """
WITH gone AS (
    DELETE FROM pgqueuer WHERE id = $1 AND status = 'failed' RETURNING id, entrypoint
), told AS (
    DELETE FROM pgqueuer_log WHERE job_id IN (SELECT id FROM gone)
)
SELECT entrypoint FROM gone
"""
# What Python writes between an error and the one that was raised from it.
_CAUSED: Final = "The above exception was the direct cause of the following exception"


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that has used up its attempts; ``error`` is what the last one ended with.

    ``traceback`` is where, in lines of text; both without what looks like a secret. Times are real.
    """

    id: int
    name: str
    payload: dict[str, Any]
    created: datetime
    held_at: datetime
    starts: int
    error: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Load:
    """How many jobs of a name there are; ``since`` is when the longest waiting one was due."""

    name: str
    due: int
    later: int
    running: int
    held: int
    since: datetime | None


class SameJobWaitsError(Exception):
    """The same work is wanted already, by a job that waits or runs."""


async def list_held(conn: Connection, most: int, name: str | None = None) -> list[HeldJob]:
    """Give the jobs that are held, the last one first; those of one name if it is given."""
    return [_held(row) for row in await conn.fetch(HELD, most, name)]


async def loads(conn: Connection) -> list[Load]:
    """Give how much there is of each kind of job."""
    return [Load(**row) for row in await conn.fetch(WAITING)]


async def run_again(conn: Connection, job_id: int) -> str | None:
    """Let workers start a held job again; give its name, None if it is not held (any more).

    Raises:
        SameJobWaitsError: a job with the same key waits or runs.
    """
    try:
        async with conn.transaction():
            name: str | None = await conn.fetchval(RUN_AGAIN, job_id)
            return name
    except asyncpg.UniqueViolationError:
        raise SameJobWaitsError from None


async def give_up(conn: Connection, job_id: int) -> str | None:
    """Delete a held job; give its name, None if it is not held (any more)."""
    name: str | None = await conn.fetchval(GIVE_UP, job_id)
    return name


def _held(row: asyncpg.Record) -> HeldJob:
    trace = row["traceback"] or {}
    where = str(trace.get("traceback", ""))
    return HeldJob(
        id=row["id"],
        name=row["name"],
        payload=msgspec.json.decode(row["payload"] or b"{}"),
        created=row["created"],
        held_at=row["held_at"],
        starts=row["starts"],
        error=redact_text(_cause(where) or str(trace.get("exception_message", ""))),
        traceback=redact_text(where),
    )


def _cause(where: str) -> str:
    """Give the error of the handler itself, of which the runner's own was raised."""
    before, found, _ = where.partition(_CAUSED)
    return before.strip().rpartition("\n")[2] if found else ""
