"""Reads of the reference's group Analytics: they show what is stored, and call no provider."""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from uuid import UUID

from tokportal_server.analytics import post_list, raw
from tokportal_server.analytics.belonging import require_own_accounts, require_own_posts
from tokportal_server.analytics.comment_list import ListCommentsQuery, list_comments
from tokportal_server.analytics.contract_view import AnalyticsContract, analytics_contract
from tokportal_server.analytics.dashboard import Dashboard, read_dashboard
from tokportal_server.analytics.definitions import CONTRACT_HEADER, VERSION, VERSION_SIBLING
from tokportal_server.analytics.drilldown import (
    AccountAnalytics,
    AccountDrilldown,
    read_account_analytics,
    read_drilldown,
)
from tokportal_server.analytics.errors import AnalyticsNotFoundError, PostNotFoundError
from tokportal_server.analytics.export_posts import ExportQuery, export_posts
from tokportal_server.analytics.filters import FilterQuery, read_filters
from tokportal_server.analytics.levels import (
    AnalyticsLevelRequiredError,
    level_of,
    require_level,
)
from tokportal_server.analytics.period import read_period
from tokportal_server.analytics.series import SeriesQuery, SeriesShape, read_series
from tokportal_server.analytics.wire import PostComment, PostNumbers, RawSnapshot, Series
from tokportal_server.http.answers import Answer, Stream
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Errors, Router
from tokportal_server.orders.errors import SavedAccountNotFoundError, VideoNotFoundError

router = Router("Analytics")

_ONE_ACCOUNT: Errors = (SavedAccountNotFoundError,)
_FILTERED: Errors = (SavedAccountNotFoundError, AnalyticsNotFoundError)
_PLAN: Errors = (AnalyticsLevelRequiredError,)
_VERSIONED: Final[dict[str, Any]] = {"siblings": VERSION_SIBLING}


def _account_id(call: Call) -> UUID:
    return call.id("id", SavedAccountNotFoundError)


async def _own_account(call: Call, *, what: str) -> UUID:
    """Give the account of the path: first whether it is there, then whether the plan has ``what``.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
        AnalyticsLevelRequiredError: the plan is below full.
    """
    account_id = _account_id(call)
    await require_own_accounts(call.conn, call.who.workspace_id, [account_id])
    await require_level(call.conn, call.who.workspace_id, "full", what=what)
    return account_id


def _target_hours(call: Call) -> int | None:
    return call.ports.settings.analytics_refresh_hours or None


@router.operation(
    "GET",
    "/analytics",
    "getAnalyticsDashboard",
    summary="Get analytics dashboard",
    returns=Dashboard,
    errors=_FILTERED,
    **_VERSIONED,
)
async def get_dashboard(call: Call, query: FilterQuery) -> Answer:
    """What the workspace's accounts have achieved. With a period, of the posts published in it."""
    who = call.who
    filters = await read_filters(call.conn, who.workspace_id, query, now=who.now)
    found = await read_dashboard(call.conn, filters, now=who.now, target_hours=_target_hours(call))
    return Answer(found, siblings=VERSION)


@router.operation(
    "GET",
    "/analytics/contract",
    "getAnalyticsContract",
    summary="Get analytics data contract",
    returns=AnalyticsContract,
    **_VERSIONED,
)
async def get_contract(call: Call) -> Answer:
    """What each number means, where it comes from, and what the workspace's plan includes."""
    level = await level_of(call.conn, call.who.workspace_id)
    return Answer(analytics_contract(level, call.ports.settings), siblings=VERSION)


@router.operation(
    "GET",
    "/analytics/series",
    "getAnalyticsSeries",
    summary="Get analytics time series",
    returns=Series,
    errors=(*_PLAN, SavedAccountNotFoundError),
    **_VERSIONED,
)
async def get_series(call: Call, query: SeriesQuery) -> Answer:
    """One metric by day or week; `cumulative` carries gaps forward, `snapshot` shows them."""
    who = call.who
    period = read_period(query.from_, query.to, now=who.now)
    asked = FilterQuery(account=query.account)
    filters = await read_filters(call.conn, who.workspace_id, asked, now=who.now)
    await require_level(call.conn, who.workspace_id, "creator", what="The series")
    shape = SeriesShape(query.metric, query.granularity, query.mode)
    found = await read_series(call.conn, filters, shape, period, today=who.now.date())
    return Answer(found, siblings=VERSION)


@router.operation(
    "GET",
    "/analytics/export/videos",
    "exportAnalyticsVideos",
    summary="Export analytics videos CSV",
    returns=str,
    media="text/csv",
    answer_headers=CONTRACT_HEADER,
    errors=(*_PLAN, *_FILTERED),
)
async def get_export(call: Call, query: ExportQuery) -> Stream:
    """Every tracked post as a row of CSV, those tracked last first."""
    who = call.who
    filters = await read_filters(call.conn, who.workspace_id, query, now=who.now)
    await require_level(call.conn, who.workspace_id, "creator", what="The export")
    return Stream(
        partial(export_posts, call.ports.database, filters, query.q),
        "text/csv; charset=utf-8",
        {"Content-Disposition": 'attachment; filename="analytics-videos.csv"'},
    )


@router.operation(
    "GET",
    "/analytics/accounts/{id}",
    "getAnalyticsAccount",
    summary="Get account analytics drilldown",
    returns=AccountDrilldown,
    path_errors=_ONE_ACCOUNT,
    **_VERSIONED,
)
async def get_account_drilldown(call: Call) -> Answer:
    """One account in detail. Deltas and series are null below the plan `creator`."""
    found = await read_drilldown(
        call.conn,
        call.who.workspace_id,
        _account_id(call),
        now=call.who.now,
        target_hours=_target_hours(call),
    )
    return Answer(found, siblings=VERSION)


@router.operation(
    "GET",
    "/analytics/accounts/{id}/raw",
    "listAnalyticsAccountRawSnapshots",
    summary="List raw account analytics snapshots",
    returns=list[RawSnapshot],
    errors=_PLAN,
    path_errors=_ONE_ACCOUNT,
    **_VERSIONED,
)
async def list_raw_of_account(call: Call, query: raw.RawQuery) -> Answer:
    """What the provider said of the account itself, the newest first; secrets are taken out."""
    period = query.period(call.who.now)
    account_id = await _own_account(call, what="Raw snapshots")
    found = await raw.raw_of_account(call.conn, call.who.workspace_id, account_id, query, period)
    return Answer(found, siblings=VERSION)


@router.operation(
    "GET",
    "/analytics/posts/{id}/raw",
    "listAnalyticsPostRawSnapshots",
    summary="List raw post analytics snapshots",
    returns=list[RawSnapshot],
    errors=_PLAN,
    path_errors=(PostNotFoundError,),
    **_VERSIONED,
)
async def list_raw_of_post(call: Call, query: raw.RawQuery) -> Answer:
    """What the provider said of a tracked post, the newest first; secrets are taken out."""
    who, period, post_id = call.who, query.period(call.who.now), call.id("id", PostNotFoundError)
    await require_own_posts(call.conn, who.workspace_id, [post_id])
    await require_level(call.conn, who.workspace_id, "full", what="Raw snapshots")
    found = await raw.raw_of_post(call.conn, who.workspace_id, post_id, query, period)
    return Answer(found, siblings=VERSION)


@router.operation(
    "GET",
    "/analytics/accounts/{id}/comments",
    "listAnalyticsAccountComments",
    summary="List comments for an account post",
    returns=list[PostComment],
    errors=(*_PLAN, PostNotFoundError),
    path_errors=_ONE_ACCOUNT,
    **_VERSIONED,
)
async def list_account_comments(call: Call, query: ListCommentsQuery) -> Answer:
    """Comments under one post, or under all of the account, those posted last first."""
    account_id = await _own_account(call, what="Comments")
    found = await list_comments(call.conn, call.who.workspace_id, account_id, query)
    return Answer(found, siblings=VERSION)


@router.operation(
    "GET",
    "/accounts/{id}/analytics",
    "getAccountAnalytics",
    summary="Get account analytics compatibility view",
    returns=AccountAnalytics,
    errors=(AnalyticsNotFoundError,),
    path_errors=_ONE_ACCOUNT,
    **_VERSIONED,
)
async def get_account_analytics(call: Call) -> Answer:
    """The account's numbers as older clients know them."""
    found = await read_account_analytics(
        call.conn, call.who.workspace_id, _account_id(call), now=call.who.now
    )
    return Answer(found, siblings=VERSION)


@router.operation(
    "GET",
    "/accounts/{id}/analytics/videos",
    "listAccountVideoAnalytics",
    summary="List post analytics for an account",
    returns=list[PostNumbers],
    path_errors=_ONE_ACCOUNT,
    paged=True,
    **_VERSIONED,
)
async def list_account_posts(call: Call, query: post_list.ListPostsQuery) -> Answer:
    """Tracked posts of an account, sorted as you like; what is unknown comes last."""
    found, page = await post_list.list_posts(
        call.conn, call.who.workspace_id, _account_id(call), query
    )
    return Answer(found, page=page, siblings=VERSION)


@router.operation(
    "GET",
    "/videos/{id}/analytics",
    "getVideoAnalytics",
    summary="Get single video analytics",
    returns=PostNumbers,
    errors=(AnalyticsNotFoundError,),
    path_errors=(VideoNotFoundError,),
    **_VERSIONED,
)
async def get_video_analytics(call: Call) -> Answer:
    """The numbers of a slot's post, which is tracked from the slot's finalization on."""
    found = await post_list.post_of_slot(
        call.conn, call.who.workspace_id, call.id("id", VideoNotFoundError)
    )
    return Answer(found, siblings=VERSION)
