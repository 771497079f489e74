"""Connecting accounts to their platforms' official APIs, and refreshing them by hand.

Nobody is sent to a platform by a form: a browser that was told which addresses forms may go to
would stop there. The page of consent is a link on a page of ours.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tokportal_server.analytics.connection_list import list_connections
from tokportal_server.analytics.operations.collect_refresh import collect_refresh
from tokportal_server.analytics.operations.connect_account import (
    begin_sign_in,
    disconnect_account,
    finish_sign_in,
)
from tokportal_server.analytics.providers.choosing import SOURCE_OF, Providers
from tokportal_server.analytics.refresh_wire import RefreshAnalyticsRequest
from tokportal_server.analytics.refreshing import RefreshRules, quota_of
from tokportal_server.console.acts import console_address, is_writer, perform, refusal_of
from tokportal_server.http.paging import PageQuery
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)

USERNAME = "SELECT username, platform FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
_PER_PAGE: Final = 50


async def show_connections(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """List the accounts: which are connected, how old their numbers are, what went wrong."""
    number = visit.query.get("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1
    query = msgspec.convert({"page": max(page, 1), "per_page": _PER_PAGE}, PageQuery)
    accounts, pages = await list_connections(visit.conn, visit.workspace.id, query)
    rules = RefreshRules.of(visit.ports.settings)
    logins = Providers.of(visit.ports).logins
    facts = {
        "accounts": accounts,
        "pages": pages,
        "apps": {platform: source in logins for platform, source in SOURCE_OF.items()},
        "quota": await quota_of(visit.conn, visit.workspace.id, rules, visit.now),
        "hours": int(rules.target.total_seconds() // 3600),
        "writer": is_writer(visit),
        "address": _root(visit),
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("connections.html", facts)


async def connect_account(visit: Visit) -> Answer:
    """Begin a sign-in, and lead on to the platform."""
    account_id = visit.id("account")
    row = await visit.conn.fetchrow(USERNAME, visit.workspace.id, account_id)
    if row is None:
        raise nothing_here()
    try:
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            url = await begin_sign_in(
                tx=tx,
                person_id=visit.person.id,
                account_id=account_id,
                providers=Providers.of(visit.ports),
                redirect_uri=_way_back(visit, row["platform"]),
            )
    except ApiError as error:
        return await show_connections(visit, refusal_of(f"connect-{account_id}", error, visit))
    facts = {
        "username": row["username"],
        "platform": row["platform"],
        "url": url,
        "address": _root(visit),
    }
    return Shown("connect.html", facts)


async def come_back(visit: Visit) -> Answer:
    """Finish a sign-in; the platform has sent the person here.

    Raises:
        PageNotFoundError: it is about no workspace in which they may change anything.
        ApiError: nothing was connected, and why.
    """
    platform, state = visit.path["platform"], visit.query.get("state", "")
    workspace = state.partition(".")[0]
    mine = {one.id.hex for one in visit.person.workspaces if one.role != "viewer"}
    if platform not in SOURCE_OF or workspace not in mine:
        raise nothing_here()
    told = visit.query.get("error_description") or visit.query.get("error", "")
    done = await finish_sign_in(
        visit.ports,
        Providers.of(visit.ports),
        actor=visit.customer,
        state=state,
        code=visit.query.get("code"),
        told=told,
        redirect_uri=_way_back(visit, platform),
    )
    return Redirect(f"/console/{done.workspace_id}/analytics/connections?done=connected")


async def disconnect(visit: Visit) -> Answer:
    """Forget the tokens of an account; what was collected stays."""
    account_id = visit.id("account")

    async def act(tx: UnitOfWork) -> None:
        await disconnect_account(tx=tx, actor=visit.customer, account_id=account_id)

    return await perform(
        visit,
        f"disconnect-{account_id}",
        act,
        again=show_connections,
        then=f"{_root(visit)}?done=disconnected",
    )


async def refresh(visit: Visit) -> Answer:
    """Collect an account's numbers now, as the API does it."""
    account_id, workspace_id = visit.id("account"), visit.workspace.id
    try:
        collected = await collect_refresh(
            visit.ports, workspace_id, account_id, RefreshAnalyticsRequest(), now=visit.now
        )
        try:
            async with (
                visit.connected() as here,
                unit_of_work(here.conn, workspace_id, now=visit.now) as tx,
            ):
                await collected.finish(tx)
        except BaseException:
            await collected.undo()
            raise
    except SavedAccountNotFoundError:
        raise nothing_here() from None
    except ApiError as error:
        async with visit.connected() as here:
            return await show_connections(here, refusal_of(f"refresh-{account_id}", error, visit))
    return Redirect(f"{_root(visit)}?done=refreshed")


def _root(visit: Visit) -> str:
    return f"{console_address(visit)}/analytics/connections"


def _way_back(visit: Visit, platform: str) -> str:
    """Give the address to register with the platform: the same for every workspace."""
    return f"{visit.ports.settings.origin()}/console/connected/{platform}"


_HERE = "/console/{workspace}/analytics/connections"
_ONE = f"{_HERE}/{{account}}"
CONNECTION_PAGES: Final = (
    Page("connections", "GET", _HERE, show_connections),
    Page("connect_account", "POST", f"{_ONE}/connect", connect_account),
    Page("connected", "GET", "/console/connected/{platform}", come_back, goes_outside=True),
    Page("disconnect_account", "POST", f"{_ONE}/disconnect", disconnect),
    Page("refresh_account", "POST", f"{_ONE}/refresh", refresh, goes_outside=True),
)
