"""Deadlines: rows with a time on them, swept against each workspace's own clock.

1. Find what is due, without a lock: real workspaces in one query, each rehearsal in its own.
2. Settle each in a transaction of its own: lock its bundle, or leave it to whoever holds it; look
   again whether it is still due; call the same operation that a person would.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import structlog

from tokportal_server.bundles.operations.finalize_profile import finalize_profile
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.announce import about_bundle, about_slot
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import LOCK_BUNDLE_IF_FREE, Row, lock_profile, lock_slot
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import BUNDLE
from tokportal_server.videos.operations.finalize_slot import finalize_slot
from tokportal_server.workbench.operations.release_claim import offer_again

log = structlog.get_logger(__name__)

Kind = Literal["priority", "profile_review", "slot_review", "overdue", "claim"]

# Each arm reads a partial index of what can be due at all. $1 is the latest time, $2 a workspace
# (a rehearsal) or null (all workspaces on real time).
DUE = """
SELECT d.kind, d.workspace_id, d.bundle_id, d.position, d.due_at FROM (
    SELECT 'priority' AS kind, workspace_id, id AS bundle_id, NULL::integer AS position,
           priority_at AS due_at FROM bundles WHERE priority_at <= $1
    UNION ALL
    SELECT 'profile_review', workspace_id, bundle_id, NULL, review_deadline_at
      FROM profiles WHERE review_deadline_at <= $1
    UNION ALL
    SELECT 'slot_review', workspace_id, bundle_id, position, review_deadline_at
      FROM slots WHERE review_deadline_at <= $1
    UNION ALL
    SELECT 'overdue', workspace_id, bundle_id, position, (target_end + 1)::timestamp AT TIME ZONE 'UTC'
      FROM slots
     WHERE status = 'accepted' AND workable_at IS NOT NULL AND overdue_at IS NULL
       AND target_end < ($1 AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT 'claim', workspace_id, bundle_id, NULL, due_at
      FROM claims WHERE status = 'live' AND due_at <= $1
) d
  JOIN workspaces w ON w.id = d.workspace_id
 WHERE CASE WHEN $2::uuid IS NULL THEN NOT w.rehearsal ELSE d.workspace_id = $2 END
 ORDER BY d.due_at, d.bundle_id, d.position LIMIT 200
"""
REHEARSALS = "SELECT id, clock_offset FROM workspaces WHERE rehearsal"
OVERDUE = "UPDATE slots SET overdue_at = $3 WHERE workspace_id = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class Due:
    """Something whose time has come; ``position`` only for a slot."""

    kind: Kind
    workspace_id: UUID
    bundle_id: UUID
    position: int | None
    due_at: datetime


class Deadlines:
    """The worker's loop over everything that is due."""

    name = "deadlines"

    def __init__(self, database: Database, rules: OrderRules) -> None:
        self._database = database
        self._rules = rules

    async def run_once(self) -> int:
        """Settle what is due in every workspace; give how many things changed."""
        async with self._database.connection() as conn:
            now = real_now()
            found = [(due, now) for due in await find_due(conn, now, None)]
            for row in await conn.fetch(REHEARSALS):
                there = now + row["clock_offset"]
                found += [(due, there) for due in await find_due(conn, there, row["id"])]
            return sum([await settle(conn, due, now, self._rules) for due, now in found])


async def find_due(conn: Connection, now: datetime, rehearsal: UUID | None) -> list[Due]:
    """Give what is due at ``now`` in one rehearsal, or (None) in all workspaces on real time."""
    return [Due(**row) for row in await conn.fetch(DUE, now, rehearsal)]


async def settle(conn: Connection, due: Due, now: datetime, rules: OrderRules) -> bool:
    """Do what a deadline asks for, if it is still due; say whether anything changed."""
    try:
        async with unit_of_work(conn, due.workspace_id, now=now) as tx:
            bundle = await tx.conn.fetchrow(LOCK_BUNDLE_IF_FREE, due.workspace_id, due.bundle_id)
            return bundle is not None and await _SETTLE[due.kind](tx, bundle, due, rules)
    except ApiError as error:
        log.warning("deadline_refused", kind=due.kind, bundle=str(due.bundle_id), why=error.code)
        return False


async def _priority(tx: UnitOfWork, bundle: Row, due: Due, rules: OrderRules) -> bool:
    if bundle["status"] != "published" or not _passed(bundle["priority_at"], tx):
        return False
    data = about_bundle(bundle)
    await move(tx, BUNDLE, bundle, "published_priority", actor=SYSTEM, data=data, priority_at=None)
    return True


async def _profile_review(tx: UnitOfWork, bundle: Row, due: Due, rules: OrderRules) -> bool:
    profile = await lock_profile(tx, bundle)
    if not _passed(profile["review_deadline_at"], tx):
        return False
    await finalize_profile(
        tx=tx, actor=SYSTEM, bundle_id=bundle["id"], rules=rules, reason="review time passed"
    )
    return True


async def _slot_review(tx: UnitOfWork, bundle: Row, due: Due, rules: OrderRules) -> bool:
    slot = await lock_slot(tx, bundle, due.position or 0)
    if not _passed(slot["review_deadline_at"], tx):
        return False
    await finalize_slot(
        tx=tx,
        actor=SYSTEM,
        bundle_id=bundle["id"],
        position=slot["position"],
        reason="review time passed",
    )
    return True


async def _overdue(tx: UnitOfWork, bundle: Row, due: Due, rules: OrderRules) -> bool:
    slot = await lock_slot(tx, bundle, due.position or 0)
    if slot["status"] != "accepted" or slot["overdue_at"] is not None:
        return False
    await tx.conn.execute(OVERDUE, tx.workspace_id, slot["id"], tx.now)
    status = slot["status"]
    tx.emit("video.overdue", about_slot(bundle, slot, status=status, previous_status=status))
    return True


async def _claim(tx: UnitOfWork, bundle: Row, due: Due, rules: OrderRules) -> bool:
    claim = await live_claim(tx, bundle)
    if claim is None or bundle["status"] != "accepted" or not _passed(claim["due_at"], tx):
        return False
    await offer_again(
        tx, bundle, "missed", actor=SYSTEM, reason="the claim's deadline passed", rules=rules
    )
    return True


def _passed(moment: datetime | None, tx: UnitOfWork) -> bool:
    return moment is not None and moment <= tx.now


_SETTLE: dict[Kind, Callable[[UnitOfWork, Row, Due, OrderRules], Awaitable[bool]]] = {
    "priority": _priority,
    "profile_review": _profile_review,
    "slot_review": _slot_review,
    "overdue": _overdue,
    "claim": _claim,
}
