"""A job is finished: what its manager earns by it, derived from its event and booked once.

A listener of events, so that no order waits for the books or fails with them:

1. Look up what was done, in which country, and by whom: the manager who handed it in last.
2. Book one entry at the rate of the moment in which it was finished; 0 if there was no rate then.
3. Take it back if its price has already gone back whole (``reversal.py``).

Run again, it finds the entry there. Rehearsals and simulated managers earn nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tokportal_server.lib.db import Connection, Database
from tokportal_server.orders.locks import Row
from tokportal_server.workbench.earnings.booking import Entry, book
from tokportal_server.workbench.earnings.rates import pay_for, rates_at
from tokportal_server.workbench.earnings.reversal import (
    reverse_for_ban,
    reverse_refunded_bundle,
    reverse_refunded_debit,
)

# The job of the listener; entry gives it to the dispatcher and to the runner.
EARNINGS_JOB: Final = "earnings"

_WHO = """
       (SELECT m.person_id FROM journal j
          JOIN managers m ON m.person_id = j.actor_id AND m.rehearsal_workspace_id IS NULL
         WHERE j.workspace_id = $1 AND j.object_id = $2 AND j.actor_kind = 'manager'
           AND j.to_status = 'in_review'
         ORDER BY j.ordinal DESC LIMIT 1) AS manager_id
"""
ACCOUNT_SETUP = (
    "SELECT p.id AS job_id, b.id AS bundle_id, NULL::uuid AS entry_id, b.country, b.platform,"
    " ARRAY['account_setup'] AS kinds, COALESCE(a.username, p.username) AS subject,"
    + _WHO
    + """
  FROM profiles p
  JOIN bundles b ON b.workspace_id = p.workspace_id AND b.id = p.bundle_id
  JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE p.workspace_id = $1 AND p.id = $2
"""
)
POST = (
    "SELECT s.id AS job_id, b.id AS bundle_id, NULL::uuid AS entry_id, b.country, b.platform,"
    " CASE WHEN s.video_type = 'story' THEN ARRAY['story'] ELSE ARRAY['video'] END"
    " || CASE WHEN s.uses_edit_slot THEN ARRAY['video_edit'] ELSE '{}' END AS kinds,"
    " concat_ws(' ', a.username, '#' || s.position, s.name) AS subject,"
    + _WHO
    + """
  FROM slots s
  JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
  JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE s.workspace_id = $1 AND s.id = $2
"""
)
COMMENT = """
SELECT t.id AS job_id, NULL::uuid AS bundle_id, t.entry_id, a.country, t.platform,
       ARRAY['comment'] AS kinds, a.username AS subject, m.person_id AS manager_id
  FROM comment_tasks t
  JOIN workspaces w ON w.id = t.workspace_id AND NOT w.rehearsal
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
  LEFT JOIN managers m ON m.person_id = t.manager_id AND m.rehearsal_workspace_id IS NULL
 WHERE t.workspace_id = $1 AND t.id = $2
"""
PROFILE_EDIT = """
SELECT r.id AS job_id, NULL::uuid AS bundle_id, r.entry_id, a.country, a.platform,
       ARRAY['profile_edit'] AS kinds, a.username AS subject,
       (SELECT m.person_id FROM journal j
          JOIN managers m ON m.person_id = j.actor_id AND m.rehearsal_workspace_id IS NULL
         WHERE j.workspace_id = $1 AND j.object_id = $2 AND j.actor_kind = 'manager'
           AND j.to_status = 'completed'
         ORDER BY j.ordinal DESC LIMIT 1) AS manager_id
  FROM edit_requests r
  JOIN workspaces w ON w.id = r.workspace_id AND NOT w.rehearsal
  JOIN saved_accounts a ON a.workspace_id = r.workspace_id AND a.id = r.saved_account_id
 WHERE r.workspace_id = $1 AND r.id = $2
"""
# Which member of an event's data names the job that it ends.
_JOB_OF: Final[Mapping[str, str]] = {
    "account.finalized": "account_id",
    "video.finalized": "video_id",
    "comment.finalized": "comment_task_id",
    "edit_request.completed": "edit_request_id",
}
EARNING_EVENTS: Final = frozenset({*_JOB_OF, "account.banned", "bundle.cancelled"})


class EarningsListener:
    """Books what events tell of; ``currency`` is for jobs that no rate has a currency for.

    An account that is banned within ``ban_days`` of its approval earns nothing; 0: it always does.
    """

    def __init__(self, database: Database, *, currency: str, ban_days: int) -> None:
        self._database = database
        self._currency = currency
        self._ban_days = ban_days

    async def run(self, payload: dict[str, Any]) -> None:
        """Handle one job of the dispatcher, or the notice of a refund (``refund_debit``)."""
        workspace_id, data = UUID(payload["workspace_id"]), payload["data"]
        async with self._database.connection() as conn, conn.transaction():
            match payload["type"]:
                case "account.banned":
                    account_id = UUID(data["saved_account_id"])
                    at = datetime.fromisoformat(payload["created_at"])
                    await reverse_for_ban(conn, workspace_id, account_id, at, self._ban_days)
                case "bundle.cancelled":
                    await reverse_refunded_bundle(conn, workspace_id, UUID(data["bundle_id"]))
                case "debit.refunded":
                    await reverse_refunded_debit(conn, workspace_id, UUID(data["entry_id"]))
                case kind:
                    at = datetime.fromisoformat(payload["created_at"])
                    job = await _job(conn, kind, workspace_id, UUID(data[_JOB_OF[kind]]))
                    await self._book(conn, workspace_id, job, at)

    async def _book(
        self, conn: Connection, workspace_id: UUID, job: Row | None, at: datetime
    ) -> None:
        if job is None or job["manager_id"] is None:
            return
        rates = await rates_at(conn, at)
        for kind in job["kinds"]:
            rate = pay_for(rates, kind, job["country"], job["platform"])
            entry = Entry(
                workspace_id=workspace_id,
                manager_id=job["manager_id"],
                type="job",
                kind=kind,
                job_id=job["job_id"],
                bundle_id=job["bundle_id"],
                subject=job["subject"],
                country=job["country"],
                platform=job["platform"],
                amount=(rate and rate.amount) or 0,
                currency=rate.currency if rate else self._currency,
                at=at,
            )
            await book(conn, entry)
        if job["bundle_id"] is not None:
            await reverse_refunded_bundle(conn, workspace_id, job["bundle_id"])
        elif job["entry_id"] is not None:
            await reverse_refunded_debit(conn, workspace_id, job["entry_id"])


async def _job(conn: Connection, event_type: str, workspace_id: UUID, job_id: UUID) -> Row | None:
    """Look a finished job up; None in a rehearsal."""
    match event_type:
        case "account.finalized":
            return await conn.fetchrow(ACCOUNT_SETUP, workspace_id, job_id)
        case "video.finalized":
            return await conn.fetchrow(POST, workspace_id, job_id)
        case "comment.finalized":
            return await conn.fetchrow(COMMENT, workspace_id, job_id)
        case _:
            return await conn.fetchrow(PROFILE_EDIT, workspace_id, job_id)
