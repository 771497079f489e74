"""The feed of events: what was emitted, in order and without gaps, for those who poll.

A workspace's sequence is taken last in each transaction, under a lock that is held to its end, so
a number that can be seen has no smaller one still to come (contract section 12).
"""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.envelope import Envelope, envelope, event_from
from tokportal_server.webhooks.schedule import EVENTS_KEPT

READ_EVENTS = """
SELECT id, type, sequence, data, created_at FROM events
 WHERE workspace_id = $1 AND sequence > $2 AND recorded_at > now() - $3::interval
 ORDER BY sequence LIMIT $4
"""
_LONGEST_CURSOR: Final = 18
Cursor = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=_LONGEST_CURSOR,
        description="`next_cursor` of the answer before; without it, the oldest event kept.",
        examples=["41"],
    ),
]


class EventFeedQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to read on, and how much."""

    after: Cursor | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many events at most.")] = 50


async def read_events(
    conn: Connection, workspace_id: UUID, query: EventFeedQuery
) -> tuple[list[Envelope], str]:
    """Give the events after a cursor, oldest first, and the cursor to read on from.

    Raises:
        ValidationError: the cursor is none, or the events that follow it are not kept any more.
    """
    start = _sequence(query.after)
    rows = await conn.fetch(READ_EVENTS, workspace_id, start, EVENTS_KEPT, query.limit)
    if rows and start and rows[0]["sequence"] != start + 1:
        refuse(
            [
                Problem(
                    "after",
                    f"is too old: events are kept for {EVENTS_KEPT.days} days, and the one that"
                    " follows this cursor is gone. Read from the oldest event by leaving it out",
                    query.after,
                )
            ]
        )
    last = rows[-1]["sequence"] if rows else start
    return [envelope(event_from(row)) for row in rows], str(last)


def _sequence(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit()):
        refuse([Problem("after", "is no cursor; send `next_cursor` of an earlier answer", cursor)])
    return int(cursor)
