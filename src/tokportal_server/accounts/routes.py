"""Operations of the reference's group Accounts."""

from __future__ import annotations

from tokportal_server.accounts import queries
from tokportal_server.accounts.wire import ListAccountsQuery, SavedAccount
from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.orders.errors import SavedAccountNotFoundError

router = Router("Accounts")


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
    path_errors=(SavedAccountNotFoundError,),
)
async def get_account(call: Call) -> Answer:
    """One account, without its secrets."""
    account_id = call.id("id", SavedAccountNotFoundError)
    found = await queries.get_account(
        call.conn, call.who.workspace_id, account_id, base_url=call.base_url
    )
    return Answer(found)
