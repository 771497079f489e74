"""The operations of the reference's group Analytics that collect numbers anew."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.analytics.definitions import VERSION, VERSION_SIBLING
from tokportal_server.analytics.levels import AnalyticsLevelRequiredError
from tokportal_server.analytics.operations.collect_refresh import collect_refresh
from tokportal_server.analytics.operations.refresh_account import claim_refresh
from tokportal_server.analytics.refresh_wire import (
    RefreshAnalyticsRequest,
    RefreshAvailability,
    RefreshResult,
)
from tokportal_server.analytics.refreshing import (
    COOLDOWN,
    RefreshCooldownError,
    RefreshProviderFailedError,
    RefreshRules,
    availability_of,
    quota_of,
)
from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call, Effect
from tokportal_server.http.registry import Router
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.errors import SavedAccountNotFoundError

router = Router("Analytics")


@router.operation(
    "GET",
    "/accounts/{id}/analytics/can-refresh",
    "canRefreshAccountAnalytics",
    summary="Check analytics refresh availability",
    returns=RefreshAvailability,
    siblings=VERSION_SIBLING,
    path_errors=(SavedAccountNotFoundError,),
)
async def can_refresh(call: Call) -> Answer:
    """Whether the account can be refreshed now; if not why, and from when on."""
    available = await availability_of(
        call.conn,
        call.who.workspace_id,
        call.id("id", SavedAccountNotFoundError),
        rules=RefreshRules.of(call.ports.settings),
        now=call.who.now,
    )
    return Answer(available, siblings=VERSION)


@router.operation(
    "POST",
    "/accounts/{id}/analytics/refresh",
    "refreshAccountAnalytics",
    summary="Refresh account analytics",
    returns=RefreshResult,
    siblings=VERSION_SIBLING,
    errors=(AnalyticsLevelRequiredError, RefreshCooldownError, RefreshProviderFailedError),
    path_errors=(SavedAccountNotFoundError,),
    effects=True,
)
async def refresh_account_analytics(call: Call, body: RefreshAnalyticsRequest) -> Effect:
    """Collect the account's numbers from its platform now, and answer when they are stored.

    Once in 24 hours for each account, within the workspace's refreshes of the month. If the
    platform fails, nothing is stored and nothing counted. The other path does the same.
    """
    return await _refresh(call, body)


@router.operation(
    "POST",
    "/analytics/accounts/{id}/refresh",
    "refreshAnalyticsAccount",
    summary="Refresh analytics account",
    returns=RefreshResult,
    siblings=VERSION_SIBLING,
    errors=(AnalyticsLevelRequiredError, RefreshCooldownError, RefreshProviderFailedError),
    path_errors=(SavedAccountNotFoundError,),
    effects=True,
)
async def refresh_analytics_account(call: Call, body: RefreshAnalyticsRequest) -> Effect:
    """Collect the account's numbers from its platform now, and answer when they are stored.

    Once in 24 hours for each account, within the workspace's refreshes of the month. If the
    platform fails, nothing is stored and nothing counted. The other path does the same.
    """
    return await _refresh(call, body)


async def _refresh(call: Call, body: RefreshAnalyticsRequest) -> Effect:
    account_id = call.id("id", SavedAccountNotFoundError)
    who, rules = call.who, RefreshRules.of(call.ports.settings)
    if call.dry_run:
        return await _imagined(call, account_id, body, rules)
    refresh = await collect_refresh(call.ports, who.workspace_id, account_id, body, now=who.now)

    async def finish(work: UnitOfWork) -> Answer:
        stored = await refresh.finish(work)
        result = RefreshResult(
            account_id=account_id,
            refreshed_at=wire_time(work.now),
            posts_refreshed=stored.posts_refreshed,
            posts_imported=stored.posts_imported,
            comments_collected=stored.comments_collected,
            next_refresh_at=wire_time(work.now + COOLDOWN),
            quota=await quota_of(work.conn, work.workspace_id, rules, work.now),
        )
        return Answer(result, siblings=VERSION)

    return Effect(finish=finish, undo=refresh.undo)


async def _imagined(
    call: Call, account_id: UUID, body: RefreshAnalyticsRequest, rules: RefreshRules
) -> Effect:
    """Answer a dry run: it would be refreshed, if its platform answers; nobody was asked."""
    who = call.who
    async with (
        call.ports.database.connection() as conn,
        unit_of_work(conn, who.workspace_id, now=who.now, dry_run=True) as tx,
    ):
        await claim_refresh(tx, account_id, body, rules)

    async def finish(work: UnitOfWork) -> Answer:
        result = RefreshResult(
            account_id=account_id,
            refreshed_at=None,
            posts_refreshed=None,
            posts_imported=None,
            comments_collected=None,
            next_refresh_at=None,
            quota=await quota_of(work.conn, work.workspace_id, rules, work.now),
        )
        return Answer(result, siblings=VERSION)

    async def undo() -> None:
        """Leave everything as it is: nothing was claimed."""

    return Effect(finish=finish, undo=undo)
