"""What becomes of a comment task when the time of its status is over (contract section 10)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tokportal_server.comments.rules import LASTS
from tokportal_server.comments.tasks import (
    LOCK_TASK_IF_FREE,
    cancel_task,
    finalize_task,
    move_task,
)
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

_REASONS: Final = {
    "pending": "nobody wrote it within 72 hours",
    "submitted": "it was not found for 72 hours",
    "verified_auto": "it was there for 24 hours",
    "manually_confirmed": "nobody disputed it for 72 hours",
    "pending_corrections": "it was not mended within 72 hours",
}


async def settle_task(tx: UnitOfWork, task_id: UUID | None) -> bool:
    """Settle a task whose time is over; say whether it was, and nobody else holds it."""
    task = await tx.conn.fetchrow(LOCK_TASK_IF_FREE, tx.workspace_id, task_id)
    if task is None or task["due_at"] is None or task["due_at"] > tx.now:
        return False
    reason = _REASONS[task["status"]]
    if task["status"] in ("pending", "pending_corrections"):
        await cancel_task(tx, task, actor=SYSTEM, reason=reason)
    elif task["status"] == "submitted":
        await _confirm(tx, task, reason)
    else:
        await finalize_task(tx, task, actor=SYSTEM, reason=reason)
    return True


async def _confirm(tx: UnitOfWork, task: Row, reason: str) -> None:
    await move_task(
        tx,
        task,
        "manually_confirmed",
        actor=SYSTEM,
        reason=reason,
        manually_confirmed_at=tx.now,
        client_dispute_deadline_at=tx.now + LASTS["manually_confirmed"],
    )
