"""Delivered accounts: the list, one account with everything about it, bans."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from tokportal_server.accounts import queries
from tokportal_server.accounts.availability import unavailable_reason, unavailable_sentence
from tokportal_server.accounts.operations.consent import record_consent, revoke_consent
from tokportal_server.accounts.operations.create_edit_request import create_edit_request
from tokportal_server.accounts.quotes import Quote, quote_of
from tokportal_server.accounts.wire import (
    AccountEditRequest,
    ListAccountBansQuery,
    ListAccountsQuery,
)
from tokportal_server.bundles.queries import list_account_bundles
from tokportal_server.bundles.wire import ListAccountBundlesQuery
from tokportal_server.console.acts import (
    Act,
    console_address,
    is_writer,
    perform,
    refusal_of,
    rehearse,
    source_of,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.lists import query_of
from tokportal_server.console.once import new_word, perform_once
from tokportal_server.credits.ledger import spendable
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import Problem, decode_body, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Refusal, Shown, Visit, nothing_here
from tokportal_server.workspaces.reference import list_countries, list_platforms

STANDING = "SELECT * FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
CONSENTS = """
SELECT owner_name, scope, valid_from, valid_until, revoked_at, revoked_reason
  FROM account_consents WHERE workspace_id = $1 AND saved_account_id = $2
 ORDER BY valid_from DESC, recorded_at DESC LIMIT 50
"""
EDIT_REQUESTS = """
SELECT id, status, requested_username, requested_visible_name, reason, created_at, completed_at
  FROM edit_requests WHERE workspace_id = $1 AND saved_account_id = $2
 ORDER BY created_at DESC LIMIT 20
"""
EDIT_FIELDS: Final = AccountEditRequest.__struct_fields__


async def show_accounts(visit: Visit) -> Answer:
    """List the accounts, newest first, with the filters of the API."""
    query, filters = query_of(visit, ListAccountsQuery)
    origin = visit.ports.settings.origin()
    workspace_id = visit.workspace.id
    accounts, pages = await queries.list_accounts(visit.conn, workspace_id, query, base_url=origin)
    address = f"{console_address(visit)}/accounts"
    facts = {
        "accounts": accounts,
        "pages": pages,
        "filters": {k: v for k, v in filters.items() if k not in ("page", "per_page")},
        "countries": [(one.code, one.name) for one in await list_countries(visit.conn)],
        "platforms": [(one.code, one.name) for one in await list_platforms(visit.conn)],
        "address": address,
    }
    return Shown("accounts.html", facts)


async def show_bans(visit: Visit) -> Answer:
    """List the bans, newest first, with what was given back."""
    query, filters = query_of(visit, ListAccountBansQuery)
    bans, pages = await queries.list_account_bans(visit.conn, visit.workspace.id, query)
    facts = {
        "bans": bans,
        "pages": pages,
        "filters": {k: v for k, v in filters.items() if k == "account_id"},
        "address": f"{console_address(visit)}/bans",
        "console": console_address(visit),
    }
    return Shown("bans.html", facts)


async def show_account(
    visit: Visit, refusal: Refusal | None = None, priced: CreditsMoved | None = None
) -> Answer:
    """Show one account: facts, what it can take, its orders, and the forms about it.

    ``priced`` is what the change costs that its form asks for, if that was to be shown.

    Raises:
        PageNotFoundError: the workspace has no such account.
    """
    workspace_id, account_id = visit.workspace.id, visit.id("account")
    standing = await standing_of(visit)
    origin = visit.ports.settings.origin()
    account = await queries.get_account(visit.conn, workspace_id, account_id, base_url=origin)
    bundles, _ = await list_account_bundles(
        visit.conn, workspace_id, account_id, ListAccountBundlesQuery(per_page=100)
    )
    bans, _ = await queries.list_account_bans(
        visit.conn, workspace_id, ListAccountBansQuery(account_id=account_id)
    )
    facts = {
        "account": account,
        "why_not": _why_not(standing, visit.now),
        "bundles": bundles,
        "ban": bans[0] if bans else None,
        "quote": await reveal_quote(visit, standing),
        "requests": await visit.conn.fetch(EDIT_REQUESTS, workspace_id, account_id),
        "edits": {name: visit.form.get(name, "") for name in EDIT_FIELDS},
        "priced": priced,
        "once": new_word(),
        "consents": await visit.conn.fetch(CONSENTS, workspace_id, account_id),
        "consent_ends": standing["consent_ends_at"],
        "credits": await spendable(visit.conn, workspace_id, visit.now),
        "writer": is_writer(visit),
        "address": account_address(visit),
        "console": console_address(visit),
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("account.html", facts)


async def request_edit(visit: Visit) -> Answer:
    """Ask for another profile; first, if that is what was pressed, for its price alone."""

    async def act(tx: UnitOfWork) -> CreditsMoved:
        _, moved = await create_edit_request(
            tx=tx,
            actor=visit.customer,
            account_id=visit.id("account"),
            request=decode_body(AccountEditRequest, body_of(AccountEditRequest, visit.form)),
            source=source_of(visit),
        )
        return moved

    if visit.field("step") == "price":
        return await _price_edit(visit, act)
    then = f"{account_address(visit)}?done=edit_asked"
    return await perform_once(visit, "edit", act, again=show_account, then=then)


async def _price_edit(visit: Visit, act: Act) -> Answer:
    moved: Any = None

    async def keep(tx: UnitOfWork) -> None:
        nonlocal moved
        moved = await act(tx)

    try:
        await rehearse(visit, keep)
    except ApiError as error:
        return await show_account(visit, refusal_of("edit", error, visit))
    return await show_account(visit, priced=moved)


async def give_consent(visit: Visit) -> Answer:
    """Note who lets the account be used, for what and until when."""

    async def act(tx: UnitOfWork) -> None:
        await record_consent(
            tx=tx,
            actor=visit.customer,
            account_id=visit.id("account"),
            owner_name=visit.field("owner_name"),
            scope=visit.field("scope"),
            valid_until=_end_of(visit.field("valid_until")),
        )

    then = f"{account_address(visit)}?done=consent_noted"
    return await perform(visit, "consent", act, again=show_account, then=then)


async def take_consent_back(visit: Visit) -> Answer:
    """Take the owner's consent back: work on the account stands still."""

    async def act(tx: UnitOfWork) -> None:
        await revoke_consent(
            tx=tx,
            actor=visit.customer,
            account_id=visit.id("account"),
            reason=visit.field("reason"),
        )

    then = f"{account_address(visit)}?done=consent_revoked"
    return await perform(visit, "revoke", act, again=show_account, then=then)


async def standing_of(visit: Visit) -> Row:
    """Give the row of the account that a page is about.

    Raises:
        PageNotFoundError: the workspace has no such account.
    """
    row = await visit.conn.fetchrow(STANDING, visit.workspace.id, visit.id("account"))
    if row is None:
        raise nothing_here()
    return row


async def reveal_quote(visit: Visit, standing: Row) -> Quote:
    """Say what revealing the account's secrets would cost and end now."""
    async with unit_of_work(visit.conn, visit.workspace.id, now=visit.now, dry_run=True) as tx:
        return await quote_of(tx, standing, visit.ports.settings.reveal_policy)


def account_address(visit: Visit) -> str:
    """Give the address of the account that a page is about."""
    return f"{console_address(visit)}/accounts/{visit.id('account')}"


def _why_not(standing: Row, now: datetime) -> str | None:
    reason = unavailable_reason(standing, now)
    return None if reason is None else unavailable_sentence(standing, reason)


def _end_of(day: str) -> datetime | None:
    """Give the end of a day in UTC; None if none is named.

    Raises:
        ValidationError: it is no day.
    """
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time.min, UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        refuse([Problem("valid_until", "must be a day", day)])
        raise


_HERE = "/console/{workspace}"
_ONE = f"{_HERE}/accounts/{{account}}"
ACCOUNT_PAGES: Final = (
    Page("accounts", "GET", f"{_HERE}/accounts", show_accounts),
    Page("bans", "GET", f"{_HERE}/bans", show_bans),
    Page("account", "GET", _ONE, show_account),
    Page("request_edit", "POST", f"{_ONE}/edits", request_edit),
    Page("give_consent", "POST", f"{_ONE}/consent", give_consent),
    Page("revoke_consent", "POST", f"{_ONE}/consent/revoke", take_consent_back),
)
