"""The row of a comment task: locked, moved through the one door, announced, and refunded."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tokportal_server.comments.errors import task_not_found, task_status_refused
from tokportal_server.comments.rules import timers
from tokportal_server.comments.states import COMMENT
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row

LOCK_TASK = "SELECT * FROM comment_tasks WHERE workspace_id = $1 AND id = $2 FOR UPDATE"
LOCK_TASK_IF_FREE = LOCK_TASK + " SKIP LOCKED"


async def lock_task(tx: UnitOfWork, task_id: UUID, *allowed: str) -> Row:
    """Lock a task and give its row.

    Raises:
        CommentTaskNotFoundError: the workspace has none with this id.
        CommentStatusError: its status is none of ``allowed``.
    """
    row = await tx.conn.fetchrow(LOCK_TASK, tx.workspace_id, task_id)
    if row is None:
        raise task_not_found(task_id)
    if row["status"] not in allowed:
        raise task_status_refused(row, list(allowed))
    return row


def about_task(task: Row) -> dict[str, Any]:
    """Give the data of a ``comment.*`` event (contract section 12)."""
    return {
        "comment_task_id": task["id"],
        "saved_account_id": task["saved_account_id"],
        "platform": task["platform"],
        "target_video_url": task["target_video_url"],
    }


async def move_task(
    tx: UnitOfWork,
    task: Row,
    target: str,
    *,
    actor: Actor,
    reason: str | None = None,
    **columns: Any,
) -> Row:
    """Change the status of a locked task, with that status's own timers; give the new row."""
    columns = {**timers(target, tx.now), "updated_at": tx.now, **columns}
    return await move(
        tx, COMMENT, task, target, actor=actor, data=about_task(task), reason=reason, **columns
    )


async def ask_for_corrections(
    tx: UnitOfWork, task: Row, *, actor: Actor, reason: str, **columns: Any
) -> Row:
    """Send a locked task back to its manager; give the new row."""
    return await move_task(
        tx, task, "pending_corrections", actor=actor, reason=reason, correction=reason, **columns
    )


async def finalize_task(tx: UnitOfWork, task: Row, *, actor: Actor, reason: str) -> Row:
    """End a locked task whose comment stands; give the new row."""
    return await move_task(
        tx,
        task,
        "finalized",
        actor=actor,
        reason=reason,
        finalized_at=tx.now,
        with_operator=False,
    )


async def cancel_task(tx: UnitOfWork, task: Row, *, actor: Actor, reason: str) -> int:
    """End a locked task without a comment, and give its price back; give how much that was."""
    await move_task(tx, task, "cancelled", actor=actor, reason=reason, with_operator=False)
    if task["entry_id"] is None:
        return 0
    price: int = task["price"]
    await ledger.refund(
        tx,
        debit_id=task["entry_id"],
        amount=price,
        description=f"Comment task cancelled: {reason}",
        breakdown={"comment_task": price, "total": price},
        reference=Reference("comment_task", task["id"], f"comment_task:{task['id']}:refund"),
        actor=actor,
    )
    return price
