"""Writing into the managers' books: into the right month, and every job at most once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection

# Whoever books for a manager, or has a word about their statement, waits for others who do.
LOCK_BOOKS = "SELECT pg_advisory_xact_lock(hashtextextended('earnings:' || $1::uuid, 0))"
IS_SETTLED = """
SELECT 1 FROM earning_statements WHERE manager_id = $1 AND month = $2 AND status = 'settled'
"""
BOOK = """
INSERT INTO earnings (workspace_id, manager_id, month, type, kind, job_id, bundle_id, subject,
                      country, platform, amount, currency, reason, made_by, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (workspace_id, job_id, kind, type) WHERE job_id IS NOT NULL DO NOTHING
RETURNING id
"""
# Another row makes another total: what was agreed to is open again. A dispute stays one.
REOPEN = """
UPDATE earning_statements SET status = 'open', answered_at = NULL
 WHERE manager_id = $1 AND month = $2 AND status = 'agreed'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the books; ``amount`` is signed, in minor units of ``currency``.

    ``workspace_id`` is the nil UUID for an adjustment, which is about no job.
    """

    workspace_id: UUID
    manager_id: UUID
    type: Literal["job", "reversal", "adjustment"]
    kind: str | None = None
    job_id: UUID | None = None
    bundle_id: UUID | None = None
    subject: str
    country: str | None = None
    platform: str | None = None
    amount: int
    currency: str
    reason: str | None = None
    made_by: UUID | None = None
    at: datetime


def month_of(at: datetime) -> date:
    """Give the first day of the month, in UTC, that a time is in."""
    return at.astimezone(UTC).date().replace(day=1)


async def lock_books(conn: Connection, manager_id: UUID) -> None:
    """Let nobody else write about a manager's earnings until the transaction ends."""
    await conn.execute(LOCK_BOOKS, manager_id)


async def is_settled(conn: Connection, manager_id: UUID, month: date) -> bool:
    """Say whether the statement of a month is closed for good; the books are locked."""
    return await conn.fetchval(IS_SETTLED, manager_id, month) is not None


async def book(conn: Connection, entry: Entry, *, month: date | None = None) -> UUID | None:
    """Write an entry, in the caller's transaction; give its id, or None if the job has one.

    It belongs to the month of its time, or to ``month``; if that is settled, to the present one.
    """
    await lock_books(conn, entry.manager_id)
    into = month or month_of(entry.at)
    if await is_settled(conn, entry.manager_id, into):
        into = month_of(real_now())
    made: UUID | None = await conn.fetchval(
        BOOK,
        entry.workspace_id,
        entry.manager_id,
        into,
        entry.type,
        entry.kind,
        entry.job_id,
        entry.bundle_id,
        entry.subject,
        entry.country,
        entry.platform,
        entry.amount,
        entry.currency,
        entry.reason,
        entry.made_by,
        entry.at,
    )
    if made is not None:
        await conn.execute(REOPEN, entry.manager_id, into)
    return made
