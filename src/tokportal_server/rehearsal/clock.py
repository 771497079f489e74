"""Moving a rehearsal's clock: from one thing that happens to the next, never past it.

1. Take the turn: one call moves the clock at a time, others wait a little. Decide the target.
2. Do what is to be done now: deadlines that have passed, steps of the simulated managers.
3. Find the next moment at which something is due; stop there first. Repeat until the target.

A call that was cut short has moved the clock a part of the way. The same call again, which its
idempotency key tells, goes on to the first one's target and no further.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from tokportal_server.credits.lapses import WARN_AHEAD
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.patience import Patience
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.rehearsal.managers import work_once
from tokportal_server.workbench.deadlines import IDLE_AFTER, find_due, settle

# How long a call that was cut short keeps others from moving the clock.
_LEASE = timedelta(seconds=30)

LOCK = """
SELECT clock_offset FROM workspaces WHERE id = $1 AND rehearsal FOR NO KEY UPDATE
"""
UNDER_WAY = "SELECT 1 FROM clock_advances WHERE workspace_id = $1 AND lease_until > now()"
FORGET = """
DELETE FROM clock_advances WHERE workspace_id = $1 AND began_at < now() - interval '24 hours'
"""
BEGIN = """
INSERT INTO clock_advances AS a (workspace_id, key, distance, target, lease_until)
VALUES ($1, $2, $3, $4, now() + $5)
ON CONFLICT (workspace_id, key) DO UPDATE
   SET lease_until = excluded.lease_until, distance = excluded.distance,
       target = CASE a.distance WHEN excluded.distance THEN a.target ELSE excluded.target END
RETURNING target
"""
RENEW = """
UPDATE clock_advances SET lease_until = now() + $3 WHERE workspace_id = $1 AND key = $2
"""
OFFSET = "SELECT clock_offset FROM workspaces WHERE id = $1 AND rehearsal"
# The clock only grows, whatever other calls moved it to meanwhile.
MOVE = """
UPDATE workspaces SET clock_offset = GREATEST(clock_offset, $2::timestamptz - $3::timestamptz)
 WHERE id = $1 AND rehearsal
RETURNING clock_offset
"""
# The next moment after $2 and up to $3 at which anything of the workspace $1 is due.
NEXT = """
SELECT min(d.due_at) FROM (
    SELECT priority_at AS due_at FROM bundles WHERE workspace_id = $1
    UNION ALL
    SELECT review_deadline_at FROM profiles WHERE workspace_id = $1
    UNION ALL
    SELECT review_deadline_at FROM slots WHERE workspace_id = $1
    UNION ALL
    SELECT due_at FROM claims WHERE workspace_id = $1 AND status = 'live'
    UNION ALL
    SELECT edge FROM comment_tasks, unnest(ARRAY[due_at, look_at]) AS edge WHERE workspace_id = $1
    UNION ALL
    SELECT edge::timestamp AT TIME ZONE 'UTC'
      FROM slots, unnest(ARRAY[target_start, target_end + 1]) AS edge
     WHERE workspace_id = $1 AND status = 'accepted' AND workable_at IS NOT NULL
    UNION ALL
    SELECT GREATEST(s.updated_at, b.moved_at) + $4
      FROM slots s JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
     WHERE s.workspace_id = $1 AND s.status = 'pending'
    UNION ALL
    SELECT edge FROM credit_lots, unnest(ARRAY[expires_at - $5::interval, expires_at]) AS edge
     WHERE workspace_id = $1 AND remaining > 0
) d WHERE d.due_at > $2 AND d.due_at <= $3
"""
# A story that never comes to rest at one moment is a bug; better an error than a hanging call.
_MOST_ROUNDS = 10_000


class NotARehearsalError(ApiError):
    """Only the clock of a rehearsal can be moved."""

    code = "NOT_A_REHEARSAL"
    status = 403
    remedy = (
        "You: use a key of a rehearsal; the operator makes one with `tokportal-server workspace"
        " create --rehearsal`."
    )


class ClockMovingError(ApiError):
    """Another call moves the clock, and has not come to its end in the time that is waited."""

    code = "CLOCK_MOVING"
    status = 409
    remedy = "You: wait until that call has been answered, then send yours again."


@dataclass(frozen=True, slots=True)
class Move:
    """A move of a workspace's clock that has its turn; ``target`` is where it ends."""

    workspace_id: UUID
    key: str
    target: datetime


def _not_a_rehearsal() -> NotARehearsalError:
    return NotARehearsalError(
        "This workspace runs on real time. Only a rehearsal workspace has a clock to move; the"
        " operator makes one with `tokportal-server workspace create --rehearsal`."
    )


def _moving() -> ClockMovingError:
    return ClockMovingError(
        "Another call is moving this rehearsal's clock. Wait for its answer, or a moment, and send"
        " yours again.",
        retry_after=1,
    )


async def require_rehearsal(conn: Connection, workspace_id: UUID) -> None:
    """Refuse a workspace whose time is real.

    Raises:
        NotARehearsalError: it is not a rehearsal.
    """
    if await conn.fetchval(OFFSET, workspace_id) is None:
        raise _not_a_rehearsal()


async def advance(
    ports: Ports, workspace_id: UUID, by: timedelta, *, key: str | None = None
) -> tuple[datetime, int]:
    """Move a rehearsal's clock on; give its new now, and how many things happened on the way.

    ``key`` is the call's idempotency key, if it has one. Moves that come together add up.

    Raises:
        NotARehearsalError: the workspace's time is real.
        ClockMovingError: somebody else has moved it for more than two seconds.
    """
    async with _turn(ports, workspace_id, by, key or str(uuid4())) as move:
        return await _go(ports, move)


@asynccontextmanager
async def _turn(ports: Ports, workspace_id: UUID, by: timedelta, key: str) -> AsyncIterator[Move]:
    """Wait, without a connection, until nobody else moves the clock; nobody else may meanwhile."""
    patience = Patience(_moving)
    while True:
        async with ports.database.connection() as conn:
            target = await _begin(conn, workspace_id, by, key)
        if target is not None:
            break
        await patience.wait()
    try:
        yield Move(workspace_id, key, target)
    finally:
        async with ports.database.connection() as conn:
            await conn.execute(RENEW, workspace_id, key, timedelta(0))


async def _begin(conn: Connection, workspace_id: UUID, by: timedelta, key: str) -> datetime | None:
    """Give the target of a move that may begin, or None while another is under way."""
    async with conn.transaction():
        offset = await conn.fetchval(LOCK, workspace_id)
        if offset is None:
            raise _not_a_rehearsal()
        if await conn.fetchval(UNDER_WAY, workspace_id):
            return None
        await conn.execute(FORGET, workspace_id)
        wanted = real_now() + offset + by
        target: datetime = await conn.fetchval(BEGIN, workspace_id, key, by, wanted, _LEASE)
        return target


async def _go(ports: Ports, move: Move) -> tuple[datetime, int]:
    rules = OrderRules.of(ports.settings)
    async with ports.database.connection() as conn:
        now = real_now() + await conn.fetchval(OFFSET, move.workspace_id)
        happened = 0
        for _ in range(_MOST_ROUNDS):
            steps = await _settle_moment(conn, ports, move.workspace_id, now, rules)
            happened += steps
            await conn.execute(RENEW, move.workspace_id, move.key, _LEASE)
            if steps:
                continue
            if now >= move.target:
                return now, happened
            following = await conn.fetchval(
                NEXT, move.workspace_id, now, move.target, IDLE_AFTER, WARN_AHEAD
            )
            now = await _move(conn, move.workspace_id, following or move.target)
    raise RuntimeError(f"rehearsal {move.workspace_id} does not come to rest at {now}")


async def _settle_moment(
    conn: Connection, ports: Ports, workspace_id: UUID, now: datetime, rules: OrderRules
) -> int:
    """Do one round of what is to be done at ``now``."""
    settled = [
        await settle(conn, due, now, rules) for due in await find_due(conn, now, workspace_id)
    ]
    return sum(settled) + await work_once(conn, ports, workspace_id, now)


async def _move(conn: Connection, workspace_id: UUID, moment: datetime) -> datetime:
    real = real_now()
    offset: timedelta = await conn.fetchval(MOVE, workspace_id, moment, real)
    return max(moment, real + offset)
