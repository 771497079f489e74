"""An operator decides about a comment that was disputed three times."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tokportal_server.comments.tasks import cancel_task, finalize_task, lock_task
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.errors import NoDisputeError
from tokportal_server.workspaces.audit import write_audit


async def settle_dispute(
    *,
    tx: UnitOfWork,
    actor: Actor,
    task_id: UUID,
    decision: Literal["finalize", "cancel"],
    reason: str,
) -> int:
    """Let the comment stand, or cancel its task; give the credits that went back.

    Raises:
        CommentTaskNotFoundError, CommentStatusError, NoDisputeError: nothing is to be decided.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    task = await lock_task(tx, task_id, "pending_corrections")
    if not task["with_operator"]:
        raise NoDisputeError(
            f"Comment task {task_id} is with its manager; only the third dispute is decided by an"
            " operator.",
            details={"disputes": task["disputes"]},
        )
    refunded = 0
    if decision == "finalize":
        await finalize_task(tx, task, actor=actor, reason=reason)
    else:
        refunded = await cancel_task(tx, task, actor=actor, reason=reason)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action=f"comment.{decision}",
        subject=("comment_task", task_id),
        actor=actor,
        reason=reason,
        details={"disputes": task["disputes"], "refund": refunded},
    )
    return refunded
