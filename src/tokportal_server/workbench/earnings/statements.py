"""Statements: what a manager has earned in a month, and what was said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row
from tokportal_server.workbench.earnings.booking import month_of
from tokportal_server.workbench.earnings.errors import StatementNotFoundError

StatementStatus = Literal["open", "agreed", "disputed", "settled"]

STATEMENTS = """
SELECT t.manager_id, m.display_name AS manager, p.email, t.month, t.totals, t.entries,
       COALESCE(s.status, 'open') AS status, s.note, s.answer, s.answered_at, s.settled_at
  FROM (SELECT manager_id, month, sum(n)::integer AS entries,
               jsonb_object_agg(currency, amount) AS totals
          FROM (SELECT manager_id, month, currency, sum(amount) AS amount, count(*) AS n
                  FROM earnings
                 WHERE ($1::uuid IS NULL OR manager_id = $1) AND ($2::date IS NULL OR month = $2)
                 GROUP BY manager_id, month, currency) c
         GROUP BY manager_id, month) t
  JOIN managers m ON m.person_id = t.manager_id
  JOIN people p ON p.id = t.manager_id
  LEFT JOIN earning_statements s ON s.manager_id = t.manager_id AND s.month = t.month
 WHERE $3::text IS NULL OR COALESCE(s.status, 'open') = $3
 ORDER BY t.month DESC, m.display_name, t.manager_id LIMIT 500
"""
ENTRIES = """
SELECT e.id, e.type, e.kind, e.subject, e.country, e.platform, e.amount, e.currency, e.reason,
       e.at, e.workspace_id, e.job_id, p.email AS made_by,
       e.type = 'job' AND EXISTS (
           SELECT FROM earnings r WHERE r.workspace_id = e.workspace_id AND r.job_id = e.job_id
                                    AND r.kind = e.kind AND r.type = 'reversal') AS taken_back
  FROM earnings e LEFT JOIN people p ON p.id = e.made_by
 WHERE e.manager_id = $1 AND e.month = $2
 ORDER BY e.ordinal
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One manager's month; ``month`` is its first day, in UTC.

    ``totals`` has minor units by currency, ``entries`` says of how many rows. ``note`` is what the
    manager disputes, ``answer`` what the operator wrote when they settled it.
    """

    manager_id: UUID
    manager: str
    email: str
    month: date
    totals: Mapping[str, int]
    entries: int
    status: StatementStatus
    note: str | None
    answer: str | None
    answered_at: datetime | None
    settled_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Say whether the month has ended, so that the statement can be answered and settled."""
        return self.month < month_of(real_now())


async def list_statements(
    conn: Connection,
    *,
    manager_id: UUID | None = None,
    month: date | None = None,
    status: StatementStatus | None = None,
) -> list[Statement]:
    """Give the statements that there are, of the newest month first, at most 500."""
    rows = await conn.fetch(STATEMENTS, manager_id, month, status)
    return [Statement(**row) for row in rows]


async def get_statement(conn: Connection, manager_id: UUID, month: date) -> Statement:
    """Give one statement.

    Raises:
        StatementNotFoundError: the manager has earned nothing in that month.
    """
    found = await list_statements(conn, manager_id=manager_id, month=month)
    if not found:
        raise StatementNotFoundError(f"There is no statement for {month:%Y-%m}.")
    return found[0]


async def list_entries(conn: Connection, manager_id: UUID, month: date) -> list[Row]:
    """Give the entries of a statement in the order in which they were booked.

    Each has id, type, kind, subject, country, platform, amount, currency, reason, at, workspace_id,
    job_id, made_by (an e-mail address) and taken_back.
    """
    rows: list[Row] = list(await conn.fetch(ENTRIES, manager_id, month))
    return rows
