"""``/me`` and the operations of the reference's group Credits."""

from __future__ import annotations

import msgspec

from tokportal_server.credits import queries
from tokportal_server.credits.prices import current_prices
from tokportal_server.credits.wire import Balance, CreditCosts, HistoryQuery, Me, Transaction
from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router

profile = Router("Profile")
router = Router("Credits")


@profile.operation("GET", "/me", "getCurrentUser", summary="Get authenticated user", returns=Me)
async def get_current_user(call: Call) -> Answer:
    """The person, workspace and key behind the call, with the workspace's clock and credits."""
    return Answer(await queries.me(call.conn, call.who))


@router.operation(
    "GET",
    "/credit-costs",
    "getCreditCosts",
    summary="Get credit pricing",
    returns=CreditCosts,
    public=True,
)
async def get_credit_costs(call: Call) -> Answer:
    """Prices in credits (one credit is one US dollar); with a key, that workspace's own."""
    prices = await current_prices(call.conn, call.caller.workspace_id if call.caller else None)
    return Answer(CreditCosts(costs=prices, **msgspec.structs.asdict(prices)))


@router.operation(
    "GET",
    "/credits/balance",
    "getCreditBalance",
    summary="Get credit balance",
    returns=Balance,
)
async def get_credit_balance(call: Call) -> Answer:
    """Spendable credits now, and the lots that will expire."""
    return Answer(await queries.balance(call.conn, call.who.workspace_id, call.who.now))


@router.operation(
    "GET",
    "/credits/history",
    "listCreditTransactions",
    summary="List credit transactions",
    returns=list[Transaction],
    paged=True,
)
async def list_credit_transactions(call: Call, query: HistoryQuery) -> Answer:
    """Ledger entries, newest first."""
    entries, page = await queries.history(call.conn, call.who.workspace_id, query)
    return Answer(entries, page=page)
