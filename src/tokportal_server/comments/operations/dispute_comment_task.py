"""``disputeCommentTask``: the customer does not find the comment, or not as it was ordered."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.comments.rules import LAST_DISPUTE
from tokportal_server.comments.tasks import ask_for_corrections, lock_task
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row


async def dispute_comment_task(*, tx: UnitOfWork, actor: Actor, task_id: UUID, reason: str) -> Row:
    """Send a task that was confirmed by hand back to its manager; give its new row.

    The third dispute of a task goes to an operator: no timer runs then, and no manager mends it.

    Raises:
        CommentTaskNotFoundError: there is no such task.
        CommentStatusError: it is not manually_confirmed.
    """
    task = await lock_task(tx, task_id, "manually_confirmed")
    disputes = task["disputes"] + 1
    waits = {"with_operator": True, "due_at": None, "look_at": None}
    more = waits if disputes == LAST_DISPUTE else {}
    return await ask_for_corrections(
        tx, task, actor=actor, reason=reason, disputes=disputes, **more
    )
