"""``approveCommentTask``: the customer has seen the comment that the platform did not show us."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.comments.tasks import finalize_task, lock_task
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row


async def approve_comment_task(*, tx: UnitOfWork, actor: Actor, task_id: UUID) -> Row:
    """Finalize a task that was confirmed by hand; give its new row.

    Raises:
        CommentTaskNotFoundError: there is no such task.
        CommentStatusError: it is not manually_confirmed.
    """
    task = await lock_task(tx, task_id, "manually_confirmed")
    return await finalize_task(tx, task, actor=actor, reason="approved by the customer")
