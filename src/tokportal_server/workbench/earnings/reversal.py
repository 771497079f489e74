"""Taking an entry back, once: by a rule, or because an operator says so.

The rules: a job earns nothing whose whole price has gone back to the customer (of an order all that
it cost, of a comment or an edit request its debit), nor the set-up of an account that its platform
bans within some days of the approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row
from tokportal_server.workbench.earnings.booking import Entry, book

_STANDING = """
SELECT e.* FROM earnings e
 WHERE e.workspace_id = $1 AND e.type = 'job'
   AND NOT EXISTS (SELECT FROM earnings r
                    WHERE r.workspace_id = e.workspace_id AND r.job_id = e.job_id
                      AND r.kind = e.kind AND r.type = 'reversal')
"""
# All that a bundle cost went back: what was charged, and nothing of it is left.
OF_REFUNDED_BUNDLE = (
    _STANDING
    + """
   AND e.bundle_id = $2
   AND EXISTS (SELECT FROM bundle_charges c
                WHERE c.workspace_id = e.workspace_id AND c.bundle_id = e.bundle_id)
   AND NOT EXISTS (SELECT FROM bundle_charges c
                    WHERE c.workspace_id = e.workspace_id AND c.bundle_id = e.bundle_id
                      AND c.refunded < c.amount)
 ORDER BY e.manager_id, e.ordinal
"""
)
BUNDLES_OF_DEBIT = """
SELECT bundle_id FROM bundle_charges WHERE workspace_id = $1 AND entry_id = $2 ORDER BY bundle_id
"""
OF_REFUNDED_DEBIT = (
    _STANDING
    + """
   AND e.job_id IN (SELECT id FROM comment_tasks WHERE workspace_id = $1 AND entry_id = $2
                    UNION ALL
                    SELECT id FROM edit_requests WHERE workspace_id = $1 AND entry_id = $2)
   AND (SELECT sum(r.amount) FROM credit_entries r
         WHERE r.workspace_id = $1 AND r.refunds_entry_id = $2)
       >= (SELECT -d.amount FROM credit_entries d WHERE d.workspace_id = $1 AND d.id = $2)
 ORDER BY e.manager_id, e.ordinal
"""
)
OF_BANNED_ACCOUNT = (
    _STANDING
    + """
   AND e.kind = 'account_setup' AND e.at >= $3
   AND e.bundle_id = (SELECT a.bundle_id FROM saved_accounts a
                       WHERE a.workspace_id = $1 AND a.id = $2)
 ORDER BY e.manager_id, e.ordinal
"""
)
REFUNDED: Final = "the customer got the whole price back"
BANNED: Final = "the platform banned the account within {days} days"


async def reverse_refunded_bundle(conn: Connection, workspace_id: UUID, bundle_id: UUID) -> int:
    """Take back what jobs of an order earned if all that it cost went back; give how many."""
    rows = await conn.fetch(OF_REFUNDED_BUNDLE, workspace_id, bundle_id)
    return await reverse_all(conn, rows, reason=REFUNDED)


async def reverse_refunded_debit(conn: Connection, workspace_id: UUID, entry_id: UUID) -> int:
    """Take back what the jobs of a debit earned if it went back whole; give how many."""
    done = 0
    for row in await conn.fetch(BUNDLES_OF_DEBIT, workspace_id, entry_id):
        done += await reverse_refunded_bundle(conn, workspace_id, row["bundle_id"])
    rows = await conn.fetch(OF_REFUNDED_DEBIT, workspace_id, entry_id)
    return done + await reverse_all(conn, rows, reason=REFUNDED)


async def reverse_for_ban(
    conn: Connection, workspace_id: UUID, account_id: UUID, at: datetime, days: int
) -> int:
    """Take back the set-up of an account that was banned at a time; give how many entries."""
    if not days:
        return 0
    since = at - timedelta(days=days)
    rows = await conn.fetch(OF_BANNED_ACCOUNT, workspace_id, account_id, since)
    return await reverse_all(conn, rows, reason=BANNED.format(days=days))


async def reverse_all(
    conn: Connection, rows: Sequence[Row], *, reason: str, made_by: UUID | None = None
) -> int:
    """Book the opposite of entries, in order of their managers; give how many were not taken back.

    A row that somebody else takes back at this moment is theirs.
    """
    done = 0
    for row in rows:
        entry = Entry(
            workspace_id=row["workspace_id"],
            manager_id=row["manager_id"],
            type="reversal",
            kind=row["kind"],
            job_id=row["job_id"],
            bundle_id=row["bundle_id"],
            subject=row["subject"],
            country=row["country"],
            platform=row["platform"],
            amount=-row["amount"],
            currency=row["currency"],
            reason=reason,
            made_by=made_by,
            at=real_now(),
        )
        done += await book(conn, entry, month=row["month"]) is not None
    return done
