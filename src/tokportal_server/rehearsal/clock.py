"""Moving a rehearsal's clock: from one thing that happens to the next, never past it.

1. Take the turn: one call moves the clock at a time, others wait a little. Decide the target.
2. Do what is to be done now and shortly after, each thing at its own time (``moments.py``).
3. Find the next moment at which something is due; stop there first. Repeat until the target.

A call that was cut short has moved the clock a part of the way. The same call again, which its
idempotency key tells, goes on to the first one's target and no further.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.patience import Patience
from tokportal_server.lib.ports import Ports
from tokportal_server.rehearsal.moments import next_moment, settle_stretch

# How far a call may go.
FARTHEST = timedelta(hours=8760)
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
AIM = "UPDATE clock_advances SET target = $3 WHERE workspace_id = $1 AND key = $2"
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
    """A move of a workspace's clock that has its turn.

    ``target`` is where it ends; None, as long as what happens next is not known.
    """

    workspace_id: UUID
    key: str
    target: datetime | None


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
    ports: Ports, workspace_id: UUID, by: timedelta | None, *, key: str | None = None
) -> tuple[datetime, int]:
    """Move a rehearsal's clock on; give its new now, and how many things happened on the way.

    ``by`` None is to the next moment at which anything happens, and not at all if nothing does
    within a year. ``key`` is the call's idempotency key, if it has one. Moves that come together
    add up.

    Raises:
        NotARehearsalError: the workspace's time is real.
        ClockMovingError: somebody else has moved it for more than two seconds.
    """
    async with _turn(ports, workspace_id, by, key or str(uuid4())) as move:
        return await _go(ports, move)


@asynccontextmanager
async def _turn(
    ports: Ports, workspace_id: UUID, by: timedelta | None, key: str
) -> AsyncIterator[Move]:
    """Wait, without a connection, until nobody else moves the clock; nobody else may meanwhile."""
    patience = Patience(_moving)
    while True:
        async with ports.database.connection() as conn:
            move = await _begin(conn, workspace_id, by, key)
        if move is not None:
            break
        await patience.wait()
    try:
        yield move
    finally:
        async with ports.database.connection() as conn:
            await conn.execute(RENEW, workspace_id, key, timedelta(0))


async def _begin(
    conn: Connection, workspace_id: UUID, by: timedelta | None, key: str
) -> Move | None:
    """Give a move that may begin, or None while another is under way."""
    async with conn.transaction():
        offset = await conn.fetchval(LOCK, workspace_id)
        if offset is None:
            raise _not_a_rehearsal()
        if await conn.fetchval(UNDER_WAY, workspace_id):
            return None
        await conn.execute(FORGET, workspace_id)
        wanted = real_now() + offset + by if by else None
        target = await conn.fetchval(BEGIN, workspace_id, key, by or timedelta(0), wanted, _LEASE)
        return Move(workspace_id, key, target)


async def _go(ports: Ports, move: Move) -> tuple[datetime, int]:
    async with ports.database.connection() as conn:
        now = real_now() + await conn.fetchval(OFFSET, move.workspace_id)
        happened = 0
        for _ in range(_MOST_ROUNDS):
            steps = await settle_stretch(conn, ports, move.workspace_id, now, move.target or now)
            happened += steps
            await conn.execute(RENEW, move.workspace_id, move.key, _LEASE)
            if steps:
                continue
            if move.target is None:
                move = await _aim(conn, ports, move, now)
            target = move.target or now
            if now >= target:
                return now, happened
            following = await next_moment(conn, ports, move.workspace_id, now, target)
            now = await _move(conn, move.workspace_id, following or target)
    raise RuntimeError(f"rehearsal {move.workspace_id} does not come to rest at {now}")


async def _aim(conn: Connection, ports: Ports, move: Move, now: datetime) -> Move:
    """Let a move end at what happens next, whoever takes it up again later."""
    target = await next_moment(conn, ports, move.workspace_id, now, now + FARTHEST) or now
    await conn.execute(AIM, move.workspace_id, move.key, target)
    return replace(move, target=target)


async def _move(conn: Connection, workspace_id: UUID, moment: datetime) -> datetime:
    real = real_now()
    offset: timedelta = await conn.fetchval(MOVE, workspace_id, moment, real)
    return max(moment, real + offset)
