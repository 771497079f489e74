"""The row of an edit request: locked, announced, and ended with its price given back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tokportal_server.accounts.errors import EditRequestNotFoundError, EditRequestStatusError
from tokportal_server.accounts.states import EDIT_REQUEST
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row

ACCOUNT_OF = "SELECT saved_account_id FROM edit_requests WHERE workspace_id = $1 AND id = $2"
LOCK_REQUEST = "SELECT * FROM edit_requests WHERE workspace_id = $1 AND id = $2 FOR UPDATE"
LOCK_ACTIVE = """
SELECT * FROM edit_requests
 WHERE workspace_id = $1 AND saved_account_id = $2 AND status IN ('pending', 'in_progress')
   FOR UPDATE
"""
SET_REASON = "UPDATE edit_requests SET reason = $3 WHERE workspace_id = $1 AND id = $2"


async def account_of_request(tx: UnitOfWork, request_id: UUID) -> UUID:
    """Give the account that a request is about, which is locked before the request.

    Raises:
        EditRequestNotFoundError: the workspace has no such request.
    """
    account_id: UUID | None = await tx.conn.fetchval(ACCOUNT_OF, tx.workspace_id, request_id)
    if account_id is None:
        raise EditRequestNotFoundError(f"No edit request {request_id} in this workspace.")
    return account_id


async def lock_request(tx: UnitOfWork, request_id: UUID, target: str) -> Row:
    """Lock a request that is to become ``target``, and give its row.

    Raises:
        EditRequestNotFoundError: the workspace has no such request.
        EditRequestStatusError: from its status it cannot.
    """
    row = await tx.conn.fetchrow(LOCK_REQUEST, tx.workspace_id, request_id)
    if row is None:
        raise EditRequestNotFoundError(f"No edit request {request_id} in this workspace.")
    if not EDIT_REQUEST.allows(row["status"], target):
        allowed = EDIT_REQUEST.allowed_from(target)
        raise EditRequestStatusError(
            f"Edit request {request_id} is {row['status']}; it can become {target} from"
            f" {' or '.join(allowed)}.",
            details={"current_status": row["status"], "allowed_from": allowed},
        )
    return row


async def lock_active_request(tx: UnitOfWork, account: Row) -> Row | None:
    """Lock the request of a locked account that is not over, if there is one."""
    return await tx.conn.fetchrow(LOCK_ACTIVE, tx.workspace_id, account["id"])


def about_request(account: Row, request_id: UUID) -> dict[str, Any]:
    """Give the data of an ``edit_request.*`` event (contract section 12)."""
    return {
        "edit_request_id": request_id,
        "saved_account_id": account["id"],
        "platform": account["platform"],
    }


async def reject_locked_request(
    tx: UnitOfWork, account: Row, request: Row, *, actor: Actor, reason: str
) -> int:
    """End a locked request without a change, and give its price back; give how much that was."""
    await move(
        tx,
        EDIT_REQUEST,
        request,
        "rejected",
        actor=actor,
        reason=reason,
        data=about_request(account, request["id"]),
        completed_at=tx.now,
    )
    await tx.conn.execute(SET_REASON, tx.workspace_id, request["id"], reason)
    price: int = request["price"]
    if request["entry_id"] is None:
        return 0
    await ledger.refund(
        tx,
        debit_id=request["entry_id"],
        amount=price,
        description=f"Edit request rejected: {reason}",
        breakdown={"account_edit": price, "total": price},
        reference=Reference("edit_request", request["id"], f"edit_request:{request['id']}:refund"),
        actor=actor,
    )
    return price
