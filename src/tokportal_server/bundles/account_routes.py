"""The bundles of a delivered account: an operation of the reference's group Accounts."""

from __future__ import annotations

from tokportal_server.bundles import queries
from tokportal_server.bundles.wire import Bundle, ListAccountBundlesQuery
from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.orders.errors import SavedAccountNotFoundError

router = Router("Accounts")


@router.operation(
    "GET",
    "/accounts/{id}/bundles",
    "listAccountBundles",
    summary="List bundles for a delivered account",
    returns=list[Bundle],
    path_errors=(SavedAccountNotFoundError,),
    paged=True,
)
async def list_account_bundles(call: Call, query: ListAccountBundlesQuery) -> Answer:
    """The bundle that set the account up and those that post on it, newest first."""
    account_id = call.id("id", SavedAccountNotFoundError)
    bundles, page = await queries.list_account_bundles(
        call.conn, call.who.workspace_id, account_id, query
    )
    return Answer(bundles, page=page)
