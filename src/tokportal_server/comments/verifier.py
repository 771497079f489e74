"""The worker's loop that looks for submitted comments.

1. Find which tasks are to be looked for, without a lock.
2. Ask the source, outside a transaction.
3. Record the outcome in a transaction of its own; of two workers that looked at once, the first
   one counts.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog

from tokportal_server.comments.operations.record_verification import record_verification
from tokportal_server.comments.verification import (
    CannotLookError,
    CommentSource,
    FoundComment,
    Look,
    look_for,
)
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database, is_lost
from tokportal_server.lib.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

# $2 is a rehearsal, or null for all workspaces on real time.
TO_LOOK_FOR = """
SELECT t.workspace_id, t.id AS task_id, t.saved_account_id, t.platform,
       t.target_video_url AS post_url, t.target_post AS post, a.username AS author_handle,
       t.comment_text AS text, t.comment_id, t.attempts + 1 AS attempt
  FROM comment_tasks t
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
  JOIN workspaces w ON w.id = t.workspace_id
 WHERE t.look_at <= $1
   AND CASE WHEN $2::uuid IS NULL THEN NOT w.rehearsal ELSE t.workspace_id = $2 END
 ORDER BY t.look_at, t.ordinal LIMIT 50
"""


class Unconnected:
    """The source of a server that is connected to no API for comments."""

    async def comments(self, look: Look) -> list[FoundComment]:
        """Say that nothing can be read.

        Raises:
            CannotLookError: always.
        """
        raise CannotLookError(
            f"no API for the comments of {look.platform} posts is connected; the comment is"
            " confirmed by hand"
        )


class CommentVerifier:
    """Looks for the comments of all workspaces on real time."""

    name = "comment_verifier"

    def __init__(self, database: Database, source: CommentSource) -> None:
        self._database = database
        self._source = source

    async def run_once(self) -> int:
        """Look for every comment that is due; give how many looks counted."""
        async with self._database.connection() as conn:
            return await verify_due(conn, self._source, real_now(), None)


async def verify_due(
    conn: Connection, source: CommentSource, now: datetime, rehearsal: UUID | None
) -> int:
    """Look for what is due at ``now`` in one rehearsal, or (None) in all workspaces on real time.

    Gives how many looks counted.
    """
    counted = 0
    for row in await conn.fetch(TO_LOOK_FOR, now, rehearsal):
        look = Look(**row)
        verdict = await look_for(source, look)
        try:
            async with unit_of_work(conn, look.workspace_id, now=now) as tx:
                counted += await record_verification(tx=tx, look=look, verdict=verdict)
        except Exception:
            if is_lost(conn):
                raise
            # One task that cannot be judged must not hold up all the others.
            log.exception("verification_failed", task=str(look.task_id))
    return counted
