"""A manager takes up a change that a customer asked for."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.edit_requests import about_request, account_of_request, lock_request
from tokportal_server.accounts.states import EDIT_REQUEST
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.door import move
from tokportal_server.workbench.account_guard import lock_managed_account


async def accept_edit_request(*, tx: UnitOfWork, actor: Actor, request_id: UUID) -> None:
    """Begin a requested change.

    Raises:
        EditRequestNotFoundError, NotAccountsManagerError: not this manager's request.
        EditRequestStatusError: it is not pending.
    """
    account_id = await account_of_request(tx, request_id)
    account = await lock_managed_account(tx, actor, account_id)
    request = await lock_request(tx, request_id, "in_progress")
    await move(
        tx,
        EDIT_REQUEST,
        request,
        "in_progress",
        actor=actor,
        data=about_request(account, request_id),
        accepted_at=tx.now,
    )
