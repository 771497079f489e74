"""Deadlines: rows with a time on them, swept against each workspace's own clock.

1. Find what is due, without a lock: real workspaces in one query, each rehearsal in its own.
2. Settle each in a transaction of its own: lock its bundle, or leave it to whoever holds it; look
   again whether it is still due; call the same operation that a person would.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog

from tokportal_server.bundles.operations.finalize_profile import finalize_profile
from tokportal_server.comments.deadlines import settle_task
from tokportal_server.credits.lapses import WARN_AHEAD, settle_lots
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database, is_lost
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.announce import about_bundle, about_slot
from tokportal_server.orders.cancellation import cancel_locked_slots
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import LOCK_BUNDLE_IF_FREE, Row, lock_profile, lock_slot
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import BUNDLE
from tokportal_server.videos.operations.finalize_slot import finalize_slot
from tokportal_server.videos.operations.publish_slot import publish_if_ready
from tokportal_server.videos.schedule import today
from tokportal_server.workbench.operations.release_claim import offer_again

log = structlog.get_logger(__name__)

Kind = Literal[
    "priority",
    "profile_review",
    "slot_review",
    "overdue",
    "claim",
    "waiting",
    "idle",
    "lots",
    "comment",
]

# Each arm reads a partial index of what can be due at all. $1 is the latest time, $2 a workspace
# (a rehearsal) or null (all workspaces on real time), $3 how long a slot may stay empty, $4 how
# long before their end the owner is warned of credits, $5 how much to give.
DUE = """
SELECT d.kind, d.workspace_id, d.object_id, d.position, d.due_at FROM (
    SELECT 'priority' AS kind, workspace_id, id AS object_id, NULL::integer AS position,
           priority_at AS due_at FROM bundles WHERE priority_at <= $1
    UNION ALL
    SELECT 'profile_review', workspace_id, bundle_id, NULL, review_deadline_at
      FROM profiles WHERE review_deadline_at <= $1
    UNION ALL
    SELECT 'slot_review', workspace_id, bundle_id, position, review_deadline_at
      FROM slots WHERE review_deadline_at <= $1
    UNION ALL
    SELECT 'overdue', workspace_id, bundle_id, position,
           (target_end + 1)::timestamp AT TIME ZONE 'UTC'
      FROM slots
     WHERE status = 'accepted' AND workable_at IS NOT NULL AND overdue_at IS NULL
       AND target_end < ($1 AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT 'claim', workspace_id, bundle_id, NULL, due_at
      FROM claims WHERE status = 'live' AND due_at <= $1
    UNION ALL
    SELECT 'waiting', s.workspace_id, s.bundle_id, s.position, s.updated_at
      FROM slots s JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
     WHERE s.publish_when_ready AND s.status = 'configured' AND s.media_status = 'ready'
       AND s.updated_at <= $1
       AND b.status IN ('published', 'published_priority', 'accepted')
       AND NOT EXISTS (
           SELECT FROM kill_switches k
            WHERE k.scope = 'all' OR (k.scope = 'workspace' AND k.subject_id = b.workspace_id)
               OR (k.scope = 'account' AND k.subject_id = b.saved_account_id))
    UNION ALL
    SELECT 'idle', s.workspace_id, s.bundle_id, NULL, max(GREATEST(s.updated_at, b.moved_at)) + $3
      FROM slots s JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
     WHERE s.status = 'pending' AND s.updated_at <= $1 - $3::interval AND b.moved_at <= $1 - $3
     GROUP BY s.workspace_id, s.bundle_id
    UNION ALL
    SELECT 'lots', workspace_id, NULL, NULL, min(expires_at) FROM (
        SELECT workspace_id, expires_at FROM credit_lots
         WHERE remaining > 0 AND expires_at <= $1
        UNION ALL
        SELECT workspace_id, expires_at - $4::interval FROM credit_lots
         WHERE remaining > 0 AND warned_of IS DISTINCT FROM expires_at
           AND expires_at <= $1 + $4::interval
    ) l GROUP BY workspace_id
    UNION ALL
    SELECT 'comment', workspace_id, id, NULL, due_at FROM comment_tasks WHERE due_at <= $1
) d
  JOIN workspaces w ON w.id = d.workspace_id
 WHERE CASE WHEN $2::uuid IS NULL THEN NOT w.rehearsal ELSE d.workspace_id = $2 END
 ORDER BY d.due_at, d.object_id, d.position LIMIT $5
"""
REHEARSALS = "SELECT id, clock_offset FROM workspaces WHERE rehearsal"
REVIEW_PASSED = "review time passed"
CLAIM_PASSED = "the claim's deadline passed"
IDLE_SLOTS = """
SELECT * FROM slots
 WHERE workspace_id = $1 AND bundle_id = $2 AND status = 'pending' AND updated_at <= $3
 ORDER BY position FOR UPDATE
"""
# Contract section 6. A slot that was added, emptied or renamed later has its own sixty days.
IDLE_AFTER = timedelta(days=60)
IDLE = "no content for 60 days"
_MOST = 200
OVERDUE = "UPDATE slots SET overdue_at = $3 WHERE workspace_id = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class Due:
    """Something whose time has come.

    ``object_id`` is the bundle or the comment task, None for credits; ``position`` is a slot's.
    """

    kind: Kind
    workspace_id: UUID
    object_id: UUID | None
    position: int | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class _Settling:
    """A deadline being settled: its locked bundle, and the slot's position where it has one."""

    tx: UnitOfWork
    bundle: Row
    position: int
    rules: OrderRules

    def passed(self, moment: datetime | None) -> bool:
        """Say whether a deadline, as it stands under the lock, is still due."""
        return moment is not None and moment <= self.tx.now


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
            return sum([await self._settle(conn, due, now) for due, now in found])

    async def _settle(self, conn: Connection, due: Due, now: datetime) -> bool:
        try:
            return await settle(conn, due, now, self._rules)
        except Exception:
            if is_lost(conn):
                raise
            # One order that cannot be settled must not hold up all the others.
            log.exception("deadline_failed", kind=due.kind, object=str(due.object_id))
            return False


async def find_due(
    conn: Connection, now: datetime, rehearsal: UUID | None, *, most: int = _MOST
) -> list[Due]:
    """Give what is due at ``now`` in one rehearsal, or (None) in all workspaces on real time.

    No more than ``most``, those that are due longest.
    """
    rows = await conn.fetch(DUE, now, rehearsal, IDLE_AFTER, WARN_AHEAD, most)
    return [Due(**row) for row in rows]


async def settle(conn: Connection, due: Due, now: datetime, rules: OrderRules) -> bool:
    """Do what a deadline asks for, if it is still due; say whether anything changed."""
    try:
        async with unit_of_work(conn, due.workspace_id, now=now) as tx:
            if due.kind == "lots":
                return await settle_lots(tx)
            if due.kind == "comment":
                return await settle_task(tx, due.object_id)
            bundle = await tx.conn.fetchrow(LOCK_BUNDLE_IF_FREE, due.workspace_id, due.object_id)
            if bundle is None:
                return False
            return await _SETTLE[due.kind](_Settling(tx, bundle, due.position or 0, rules))
    except ApiError as error:
        log.warning("deadline_refused", kind=due.kind, object=str(due.object_id), why=error.code)
        return False


async def _priority(it: _Settling) -> bool:
    if it.bundle["status"] != "published" or not it.passed(it.bundle["priority_at"]):
        return False
    data = about_bundle(it.bundle)
    await move(
        it.tx, BUNDLE, it.bundle, "published_priority", actor=SYSTEM, data=data, priority_at=None
    )
    return True


async def _profile_review(it: _Settling) -> bool:
    profile = await lock_profile(it.tx, it.bundle)
    if not it.passed(profile["review_deadline_at"]):
        return False
    await finalize_profile(
        tx=it.tx, actor=SYSTEM, bundle_id=it.bundle["id"], rules=it.rules, reason=REVIEW_PASSED
    )
    return True


async def _slot_review(it: _Settling) -> bool:
    slot = await lock_slot(it.tx, it.bundle, it.position)
    if not it.passed(slot["review_deadline_at"]):
        return False
    await finalize_slot(
        tx=it.tx,
        actor=SYSTEM,
        bundle_id=it.bundle["id"],
        position=it.position,
        reason=REVIEW_PASSED,
    )
    return True


async def _overdue(it: _Settling) -> bool:
    slot = await lock_slot(it.tx, it.bundle, it.position)
    if slot["status"] != "accepted" or slot["workable_at"] is None:
        return False
    # The window may have been moved between the search and the lock.
    if slot["overdue_at"] is not None or slot["target_end"] >= today(it.tx.now):
        return False
    await it.tx.conn.execute(OVERDUE, it.tx.workspace_id, slot["id"], it.tx.now)
    status = slot["status"]
    it.tx.emit("video.overdue", about_slot(it.bundle, slot, status=status, previous_status=status))
    return True


async def _claim(it: _Settling) -> bool:
    claim = await live_claim(it.tx, it.bundle)
    if claim is None or it.bundle["status"] != "accepted" or not it.passed(claim["due_at"]):
        return False
    await offer_again(it.tx, it.bundle, "missed", actor=SYSTEM, reason=CLAIM_PASSED, rules=it.rules)
    return True


async def _waiting(it: _Settling) -> bool:
    """Publish what would have been when its media came, had publishing not been stopped then."""
    slot = await lock_slot(it.tx, it.bundle, it.position)
    return await publish_if_ready(it.tx, it.bundle, slot, actor=SYSTEM, rules=it.rules)


async def _idle(it: _Settling) -> bool:
    limit = it.tx.now - IDLE_AFTER
    if it.bundle["moved_at"] > limit:
        return False
    empty = await it.tx.conn.fetch(IDLE_SLOTS, it.tx.workspace_id, it.bundle["id"], limit)
    if not empty:
        return False
    await cancel_locked_slots(it.tx, it.bundle, empty, actor=SYSTEM, reason=IDLE, rules=it.rules)
    return True


_SETTLE: dict[Kind, Callable[[_Settling], Awaitable[bool]]] = {
    "priority": _priority,
    "profile_review": _profile_review,
    "slot_review": _slot_review,
    "overdue": _overdue,
    "claim": _claim,
    "waiting": _waiting,
    "idle": _idle,
}
