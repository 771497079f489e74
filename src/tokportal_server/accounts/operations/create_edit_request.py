"""``createAccountEditRequest``: a customer asks the account's manager to change its profile."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.availability import refuse_unavailable
from tokportal_server.accounts.edit_requests import about_request, lock_active_request
from tokportal_server.accounts.errors import EditRequestActiveError, EditRequestNoManagerError
from tokportal_server.accounts.locks import lock_account, require_delivered
from tokportal_server.accounts.states import EDIT_REQUEST
from tokportal_server.accounts.wire import AccountEditRequest
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.door import begin
from tokportal_server.orders.locks import Row
from tokportal_server.uploads.media import link_media
from tokportal_server.uploads.source import MediaSource
from tokportal_server.workspaces.notices import tell_manager

INSERT = """
INSERT INTO edit_requests (workspace_id, id, saved_account_id, status, requested_username,
    requested_visible_name, requested_biography, requested_profile_picture_url,
    requested_link_in_bio, price, entry_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


async def create_edit_request(
    *,
    tx: UnitOfWork,
    actor: Actor,
    account_id: UUID,
    request: AccountEditRequest,
    source: MediaSource,
) -> tuple[UUID, CreditsMoved]:
    """Ask for another profile, at the day's price; give the request's id and what was charged.

    Raises:
        SavedAccountNotFoundError, AccountNotDeliveredError, SavedAccountUnavailableError: the
            account cannot be changed.
        ValidationError, MediaNotFoundError: the request breaks a rule.
        EditRequestActiveError, EditRequestNoManagerError: it cannot be taken up now.
        InsufficientCreditsError: nothing was written.
    """
    account = await _changeable_account(tx, account_id, link=request.requested_link_in_bio)
    request_id = tx.new_id()
    await _link_picture(tx, account, request_id, request, source)
    price = (await current_prices(tx.conn, tx.workspace_id)).account_edit
    data = about_request(account, request_id)
    status = begin(tx, EDIT_REQUEST, request_id, root_id=request_id, actor=actor, data=data)
    moved, entry_id = await ledger.debit(
        tx,
        amount=price,
        description=f"Edit of account {account['username']}",
        breakdown={"account_edit": price, "total": price},
        reference=Reference("edit_request", request_id, f"edit_request:{request_id}:charge"),
        actor=actor,
    )
    await tx.conn.execute(
        INSERT,
        tx.workspace_id,
        request_id,
        account_id,
        status,
        request.requested_username,
        request.requested_visible_name,
        request.requested_biography or None,
        request.requested_profile_picture_url or None,
        request.requested_link_in_bio or None,
        price,
        entry_id,
        tx.now,
    )
    await tell_manager(
        tx.conn,
        tx.workspace_id,
        account["manager_id"],
        kind="edit_request",
        subject=str(request_id),
        text=f"A customer asks for another profile of the account {account['username']}.",
        at=tx.now,
        about={"edit_request_id": str(request_id), "work": True},
    )
    return request_id, moved


async def _changeable_account(tx: UnitOfWork, account_id: UUID, *, link: str | None) -> Row:
    """Lock an account that a change can be asked for now."""
    account = await lock_account(tx, account_id)
    if link and account["platform"] != "instagram":
        problem = f"is for Instagram only; this is {account['platform']}"
        refuse([Problem("requested_link_in_bio", problem, link)])
    require_delivered(account)
    refuse_unavailable(account, tx.now, field="id")
    active = await lock_active_request(tx, account)
    if active is not None:
        raise EditRequestActiveError(
            f"Account {account['username']} has an edit request that is {active['status']}. Wait"
            " until it is over; GET /accounts/{id}/edit-request shows it.",
            details={"edit_request_id": str(active["id"])},
        )
    if account["manager_id"] is None:
        raise EditRequestNoManagerError(
            f"No manager looks after account {account['username']} now, so nobody could make the"
            " change. Whoever takes its next order becomes its manager."
        )
    return account


async def _link_picture(
    tx: UnitOfWork,
    account: Row,
    request_id: UUID,
    request: AccountEditRequest,
    source: MediaSource,
) -> None:
    picture = request.requested_profile_picture_url
    await link_media(
        tx,
        bundle_id=account["bundle_id"],
        owner_kind="edit_request",
        owner_id=request_id,
        kind="profile_picture",
        values=[picture] if picture else [],
        base_url=source.base_url,
        policy=source.policy,
        field="requested_profile_picture_url",
    )
