"""A manager cannot make a change that a customer asked for."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.edit_requests import (
    account_of_request,
    lock_request,
    reject_locked_request,
)
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.account_guard import lock_managed_account
from tokportal_server.workbench.claim_guard import check_reason


async def reject_edit_request(
    *, tx: UnitOfWork, actor: Actor, request_id: UUID, reason: str
) -> int:
    """Reject a requested change, with the reason that the customer reads; give what went back.

    Raises:
        EditRequestNotFoundError, NotAccountsManagerError: not this manager's request.
        EditRequestStatusError: it is over.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    account_id = await account_of_request(tx, request_id)
    account = await lock_managed_account(tx, actor, account_id)
    request = await lock_request(tx, request_id, "rejected")
    return await reject_locked_request(tx, account, request, actor=actor, reason=reason)
