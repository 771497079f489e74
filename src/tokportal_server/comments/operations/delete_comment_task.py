"""``deleteCommentTask``: the comment is not wanted any more."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.comments.tasks import cancel_task, lock_task
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork


async def delete_comment_task(*, tx: UnitOfWork, actor: Actor, task_id: UUID) -> int:
    """Cancel a task that nobody has worked on yet; give the credits that went back.

    Raises:
        CommentTaskNotFoundError: there is no such task.
        CommentStatusError: it is not pending.
    """
    task = await lock_task(tx, task_id, "pending")
    return await cancel_task(tx, task, actor=actor, reason="deleted by the customer")
