"""Moving a rehearsal's clock: from one thing that happens to the next, never past it.

1. Do what is to be done now: deadlines that have passed, steps of the simulated managers.
2. Find the next moment at which something is due; stop there first. Repeat until the target.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.rules import OrderRules
from tokportal_server.rehearsal.managers import work_once
from tokportal_server.workbench.deadlines import find_due, settle

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
    SELECT edge::timestamp AT TIME ZONE 'UTC'
      FROM slots, unnest(ARRAY[target_start, target_end + 1]) AS edge
     WHERE workspace_id = $1 AND status = 'accepted' AND workable_at IS NOT NULL
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


async def require_rehearsal(conn: Connection, workspace_id: UUID) -> None:
    """Refuse a workspace whose time is real.

    Raises:
        NotARehearsalError: it is not a rehearsal.
    """
    if await conn.fetchval(OFFSET, workspace_id) is None:
        raise NotARehearsalError(
            "This workspace runs on real time. Only a rehearsal workspace has a clock to move; the"
            " operator makes one with `tokportal-server workspace create --rehearsal`."
        )


async def advance(ports: Ports, workspace_id: UUID, by: timedelta) -> tuple[datetime, int]:
    """Move a rehearsal's clock on; give its new now, and how many things happened on the way.

    Raises:
        NotARehearsalError: the workspace's time is real.
    """
    rules = OrderRules.of(ports.settings)
    async with ports.database.connection() as conn:
        await require_rehearsal(conn, workspace_id)
        now = real_now() + await conn.fetchval(OFFSET, workspace_id)
        target = now + by
        happened = 0
        for _ in range(_MOST_ROUNDS):
            steps = await _settle_moment(conn, ports, workspace_id, now, rules)
            happened += steps
            if steps:
                continue
            if now >= target:
                return now, happened
            following = await conn.fetchval(NEXT, workspace_id, now, target)
            now = await _move(conn, workspace_id, following or target)
    raise RuntimeError(f"rehearsal {workspace_id} does not come to rest at {now}")


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
