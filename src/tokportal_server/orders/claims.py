"""Claims: who works on a bundle, and until when.

A claim is live from the manager's claim to its end; its deadline stands on it and is reckoned anew
whenever the work that is left changes (contract section 7, claim deadlines).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row, find_profile, lock_slots
from tokportal_server.orders.rules import OrderRules

LIVE_CLAIM = """
SELECT * FROM claims WHERE workspace_id = $1 AND bundle_id = $2 AND status = 'live' FOR UPDATE
"""
SET_DUE = "UPDATE claims SET due_at = $3 WHERE workspace_id = $1 AND id = $2"
END_CLAIM = """
UPDATE claims SET status = $3, ended_at = $4, reason = $5, due_at = NULL
 WHERE workspace_id = $1 AND bundle_id = $2 AND status = 'live'
"""
OPEN_CORRECTIONS = """
SELECT slot_id, max(requested_at) AS asked_at FROM corrections
 WHERE workspace_id = $1 AND bundle_id = $2 AND resolved_at IS NULL GROUP BY slot_id
"""


async def live_claim(tx: UnitOfWork, bundle: Row) -> Row | None:
    """Lock and give the live claim of a locked bundle, if there is one."""
    return await tx.conn.fetchrow(LIVE_CLAIM, tx.workspace_id, bundle["id"])


async def end_claim(
    tx: UnitOfWork,
    bundle: Row,
    how: Literal["released", "missed", "completed", "cancelled"],
    *,
    reason: str | None = None,
) -> None:
    """End the live claim of a locked bundle, if there is one."""
    await tx.conn.execute(END_CLAIM, tx.workspace_id, bundle["id"], how, tx.now, reason)


async def reckon_deadline(tx: UnitOfWork, bundle: Row, rules: OrderRules) -> None:
    """Set the claim's deadline from the work that the manager has to do next.

    None while nothing is for the manager to do (everything is with the customer).
    """
    claim = await live_claim(tx, bundle)
    if claim is None:
        return
    rows = await tx.conn.fetch(OPEN_CORRECTIONS, tx.workspace_id, bundle["id"])
    # Whoever takes an order over gets the whole time for corrections that were asked for before.
    asked = {row["slot_id"]: max(row["asked_at"], claim["claimed_at"]) for row in rows}
    due = []
    profile = await find_profile(tx, bundle)
    if profile is not None and profile["status"] == "published":
        due.append(claim["claimed_at"] + rules.profile_claim)
    elif profile is not None and profile["status"] == "pending_corrections":
        due.append(asked.get(None, claim["claimed_at"]) + rules.profile_claim)
    for slot in await lock_slots(tx, bundle):
        if slot["status"] == "accepted" and slot["workable_at"] is not None:
            due.append(_end_of(slot["target_end"]) + rules.slot_claim)
        elif slot["status"] == "pending_corrections":
            due.append(asked.get(slot["id"], claim["claimed_at"]) + rules.slot_claim)
    await tx.conn.execute(SET_DUE, tx.workspace_id, claim["id"], min(due, default=None))


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
