"""Operations of the reference's group Accounts."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tokportal_server.accounts import queries
from tokportal_server.accounts.errors import (
    AccountNotDeliveredError,
    EditRequestActiveError,
    EditRequestNoManagerError,
    OwningFeeRequiredError,
    RevealConfirmationRequiredError,
    RevealQuoteChangedError,
    VerificationCodeNotFoundError,
)
from tokportal_server.accounts.operations.create_edit_request import create_edit_request
from tokportal_server.accounts.operations.retrieve_code import FRESH, retrieve_code
from tokportal_server.accounts.operations.reveal_credentials import reveal_credentials
from tokportal_server.accounts.revealing import audit_replay
from tokportal_server.accounts.wire import (
    AccountBan,
    AccountEditRequest,
    CredentialRevealAcceptance,
    EditRequest,
    ListAccountBansQuery,
    ListAccountsQuery,
    RevealedCredentials,
    SavedAccount,
    VerificationCode,
)
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import Answer, CreditsMoved
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Errors, Router
from tokportal_server.orders.errors import SavedAccountNotFoundError, SavedAccountUnavailableError
from tokportal_server.uploads.media import MediaNotFoundError
from tokportal_server.uploads.source import MediaSource

router = Router("Accounts")

_ONE_ACCOUNT: Errors = (SavedAccountNotFoundError,)
_REVEALING: Errors = (
    AccountNotDeliveredError,
    OwningFeeRequiredError,
    InsufficientCreditsError,
    RevealConfirmationRequiredError,
    RevealQuoteChangedError,
)
# Contract section 3: an answer with secrets lives no longer than what it holds, or a day.
_REVEAL_KEPT = timedelta(hours=24)


def _account_id(call: Call) -> UUID:
    return call.id("id", SavedAccountNotFoundError)


@router.operation(
    "GET",
    "/accounts",
    "listAccounts",
    summary="List delivered accounts",
    returns=list[SavedAccount],
    paged=True,
)
async def list_accounts(call: Call, query: ListAccountsQuery) -> Answer:
    """Accounts of the workspace, newest first; those in review have no ``delivered_at`` yet."""
    accounts, page = await queries.list_accounts(
        call.conn, call.who.workspace_id, query, base_url=call.base_url
    )
    return Answer(accounts, page=page)


@router.operation(
    "GET",
    "/accounts/{id}",
    "getAccount",
    summary="Get a delivered account",
    returns=SavedAccount,
    path_errors=_ONE_ACCOUNT,
)
async def get_account(call: Call) -> Answer:
    """One account, without its secrets."""
    found = await queries.get_account(
        call.conn, call.who.workspace_id, _account_id(call), base_url=call.base_url
    )
    return Answer(found)


async def _replayed_credentials(call: Call) -> None:
    await audit_replay(call.tx, _account_id(call), "account.reveal", actor=call.who.actor)


@router.operation(
    "POST",
    "/accounts/{id}/reveal-credentials",
    "revealAccountCredentials",
    summary="Reveal delivered account credentials",
    returns=RevealedCredentials,
    errors=_REVEALING,
    path_errors=_ONE_ACCOUNT,
    moves_credits=True,
    idempotency="sealed",
    keep=_REVEAL_KEPT,
    replayed=_replayed_credentials,
)
async def post_reveal(call: Call, body: CredentialRevealAcceptance | None) -> Answer:
    """What opens the account; every call is audited and sends ``account.revealed``.

    Where an owning fee is set, or where a reveal ends the management of the account, a plain call
    is refused with the terms; agree to them in the body.
    """
    shown, moved = await reveal_credentials(
        tx=call.tx,
        actor=call.who.actor,
        vault=call.ports.vault,
        account_id=_account_id(call),
        policy=call.ports.settings.reveal_policy,
        acceptance=body,
    )
    return Answer(shown, credits=moved)


async def _replayed_code(call: Call) -> None:
    await audit_replay(call.tx, _account_id(call), "account.read_code", actor=call.who.actor)


@router.operation(
    "POST",
    "/accounts/{id}/verification-code",
    "retrieveAccountVerificationCode",
    summary="Retrieve latest account verification code",
    returns=VerificationCode,
    errors=(*_REVEALING, VerificationCodeNotFoundError),
    path_errors=_ONE_ACCOUNT,
    moves_credits=True,
    idempotency="sealed",
    keep=FRESH,
    replayed=_replayed_code,
)
async def post_code(call: Call, body: CredentialRevealAcceptance | None) -> Answer:
    """The newest code that the platform sent, not older than 30 minutes; every call is audited.

    The terms of revealing credentials hold for codes too, since a code opens an account as well.
    """
    shown, moved, fresh = await retrieve_code(
        tx=call.tx,
        actor=call.who.actor,
        vault=call.ports.vault,
        account_id=_account_id(call),
        policy=call.ports.settings.reveal_policy,
        acceptance=body,
    )
    return Answer(shown, credits=moved, keep=fresh)


@router.operation(
    "GET",
    "/accounts/{id}/edit-request",
    "getAccountEditRequest",
    summary="Get active account edit request",
    returns=EditRequest | None,
    path_errors=_ONE_ACCOUNT,
)
async def get_edit_request(call: Call) -> Answer:
    """The edit request that waits for the manager or is being made; ``data`` is null without."""
    found = await queries.active_edit_request(
        call.conn, call.who.workspace_id, _account_id(call), base_url=call.base_url
    )
    return Answer(found)


async def _price_edit(call: Call, body: AccountEditRequest) -> CreditsMoved:
    del body
    price = (await current_prices(call.tx.conn, call.tx.workspace_id)).account_edit
    remaining = await ledger.spendable(call.tx.conn, call.tx.workspace_id, call.tx.now)
    return CreditsMoved(price, remaining, {"account_edit": price, "total": price})


@router.operation(
    "POST",
    "/accounts/{id}/edit-request",
    "createAccountEditRequest",
    summary="Request profile edits for a delivered account",
    returns=EditRequest,
    status=201,
    errors=(
        AccountNotDeliveredError,
        MediaNotFoundError,
        EditRequestNoManagerError,
        EditRequestActiveError,
        SavedAccountUnavailableError,
        InsufficientCreditsError,
    ),
    path_errors=_ONE_ACCOUNT,
    moves_credits=True,
    price=_price_edit,
)
async def post_edit_request(call: Call, body: AccountEditRequest) -> Answer:
    """Have the account's manager change its profile; what is not named stays as it is.

    A rejected request is paid back. One request of an account is active at a time.
    """
    request_id, moved = await create_edit_request(
        tx=call.tx,
        actor=call.who.actor,
        account_id=_account_id(call),
        request=body,
        source=MediaSource.of(call),
    )
    made = await queries.get_edit_request(
        call.tx.conn, call.tx.workspace_id, request_id, base_url=call.base_url
    )
    return Answer(made, status=201, credits=moved)


@router.operation(
    "GET",
    "/account-bans",
    "listAccountBans",
    summary="List account bans",
    returns=list[AccountBan],
    errors=(SavedAccountNotFoundError,),
    paged=True,
    addition=True,
)
async def list_account_bans(call: Call, query: ListAccountBansQuery) -> Answer:
    """Accounts that their platforms have banned, newest first, with what was given back."""
    bans, page = await queries.list_account_bans(call.conn, call.who.workspace_id, query)
    return Answer(bans, page=page)
