"""What happens in a rehearsal at a moment and shortly after, and when something happens next.

Things that are due close together are looked for once, and then happen one after the other, each at
its own time: the first of every bundle, and in the next round the first of what is then due. So the
story of a bundle is told in its order, and a thousand bundles do not ask a thousand times.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from tokportal_server.credits.lapses import WARN_AHEAD
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.orders.locks import Row
from tokportal_server.orders.rules import OrderRules
from tokportal_server.rehearsal.collecting import collect_once, next_collection
from tokportal_server.rehearsal.commenting import comment_once
from tokportal_server.rehearsal.editing import edit_once
from tokportal_server.rehearsal.managers import take_step
from tokportal_server.rehearsal.scripts import assign_scripts
from tokportal_server.rehearsal.steps import due_steps, next_step
from tokportal_server.workbench.deadlines import IDLE_AFTER, Due, find_due, settle

# The next deadline of the workspace $1 after $2 and up to $3.
NEXT_DEADLINE = """
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
    SELECT (target_end + 1)::timestamp AT TIME ZONE 'UTC' FROM slots
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
# The next moment at which a comment's task is due or is looked for.
NEXT_COMMENT = """
SELECT min(edge) FROM comment_tasks, unnest(ARRAY[due_at, look_at]) AS edge
 WHERE workspace_id = $1 AND edge > $2 AND edge <= $3
"""
_STRETCH: Final = timedelta(minutes=10)
# How much of each kind is looked at in one round, after which the move says that it is alive.
_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class _Due:
    """Something that is due ``at``; of one ``story`` one thing happens at a time."""

    at: datetime
    story: UUID | None
    happen: Callable[[datetime], Awaitable[bool]]


async def settle_stretch(
    conn: Connection, ports: Ports, workspace_id: UUID, now: datetime, target: datetime
) -> int:
    """Do one round of what is due from ``now`` on, for some minutes; give how much happened.

    0 means that nothing is left to do at ``now``, nor before the next moment.
    """
    until = await _end_of_stretch(conn, workspace_id, now, target)
    await assign_scripts(conn, workspace_id)
    happened = 0
    told: set[UUID | None] = set()
    for due in await _all_due(conn, ports, workspace_id, until):
        if due.story not in told and await due.happen(max(due.at, now)):
            told.add(due.story)
            happened += 1
    happened += await edit_once(conn, workspace_id, now)
    happened += await comment_once(conn, workspace_id, now)
    # Nothing else follows from new numbers, so they are nothing that happens.
    await collect_once(conn, ports, workspace_id, now)
    return happened


async def _end_of_stretch(
    conn: Connection, workspace_id: UUID, now: datetime, target: datetime
) -> datetime:
    """Give how far one may look ahead: comments are looked for at their own moments."""
    until = max(now, min(now + _STRETCH, target))
    comment: datetime | None = await conn.fetchval(NEXT_COMMENT, workspace_id, now, until)
    return comment or until


async def _all_due(
    conn: Connection, ports: Ports, workspace_id: UUID, until: datetime
) -> list[_Due]:
    """Give deadlines and managers' steps up to a moment, or up to the last that were read."""
    rules = OrderRules.of(ports.settings)

    async def settled(due: Due, at: datetime) -> bool:
        return await settle(conn, due, at, rules)

    async def taken(step: Row, at: datetime) -> bool:
        return await take_step(conn, ports, workspace_id, step, at)

    deadlines = [
        _Due(due.due_at, due.object_id, partial(settled, due))
        for due in await find_due(conn, until, workspace_id, most=_MOST)
    ]
    steps = [
        _Due(step["due_at"], step["bundle_id"], partial(taken, step))
        for step in await due_steps(conn, workspace_id, until, most=_MOST)
    ]
    # What lies behind the last of a full list may come before something of the other one.
    ends = [listed[-1].at for listed in (deadlines, steps) if len(listed) == _MOST]
    last = min(ends, default=until)
    return sorted((due for due in (*deadlines, *steps) if due.at <= last), key=lambda due: due.at)


async def next_moment(
    conn: Connection, ports: Ports, workspace_id: UUID, after: datetime, until: datetime
) -> datetime | None:
    """Give the next moment at which anything happens, or None if that is past ``until``."""
    deadline = await conn.fetchval(
        NEXT_DEADLINE, workspace_id, after, until, IDLE_AFTER, WARN_AHEAD
    )
    step = await next_step(conn, workspace_id, after, deadline or until) or deadline
    collection = await next_collection(conn, ports, workspace_id, after, step or until)
    return collection or step
