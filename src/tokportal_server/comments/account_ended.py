"""The account of comment tasks was banned, or its management ended: what is not written ends.

A listener of ``account.banned`` and ``account.revealed``, for accounts know nothing of comments. A
task that was handed in goes its way: its comment is there or it is not.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import structlog

from tokportal_server.comments.errors import CommentStatusError
from tokportal_server.comments.tasks import cancel_task, lock_task
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

# The job of the listener; entry gives it to the dispatcher and to the runner.
ACCOUNT_ENDED_JOB: Final = "account_ended"
ENDING_EVENTS: Final = frozenset({"account.banned", "account.revealed"})
_UNWRITTEN: Final = ("pending", "pending_corrections")
UNWRITTEN_TASKS = """
SELECT t.id, a.status, w.clock_offset FROM comment_tasks t
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
  JOIN workspaces w ON w.id = t.workspace_id
 WHERE t.workspace_id = $1 AND t.saved_account_id = $2 AND a.status <> 'active'
   AND t.status = ANY ($3::text[])
 ORDER BY t.id
"""


class AccountEndedListener:
    """Cancels tasks one by one, with their refunds; run again, it finds what is left."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, payload: dict[str, Any]) -> None:
        """Handle one job of the dispatcher."""
        workspace_id = UUID(payload["workspace_id"])
        account_id = UUID(payload["data"]["saved_account_id"])
        async with self._database.connection() as conn:
            await end_unwritten_tasks(conn, workspace_id, account_id)


async def end_unwritten_tasks(conn: Connection, workspace_id: UUID, account_id: UUID) -> int:
    """Cancel what nobody has written for an account that is not active; give how many there were.

    An account that is active, though its credentials were revealed, keeps its tasks.
    """
    ended = 0
    rows = await conn.fetch(UNWRITTEN_TASKS, workspace_id, account_id, _UNWRITTEN)
    for row in rows:
        try:
            async with unit_of_work(conn, workspace_id, now=real_now() + row["clock_offset"]) as tx:
                task = await lock_task(tx, row["id"], *_UNWRITTEN)
                await cancel_task(tx, task, actor=SYSTEM, reason=f"the account is {row['status']}")
            ended += 1
        except CommentStatusError:
            log.info("comment_task_moved_on", task_id=str(row["id"]))
    return ended
