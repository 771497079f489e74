"""What the workspace's accounts have achieved: the overview, one account, posts, a file of them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, get_args

from markupsafe import Markup

from tokportal_server.accounts.queries import list_accounts
from tokportal_server.accounts.wire import ListAccountsQuery
from tokportal_server.analytics.charts import Point, bar_chart, line_chart
from tokportal_server.analytics.dashboard import read_dashboard
from tokportal_server.analytics.drilldown import read_drilldown
from tokportal_server.analytics.export_posts import ExportQuery, export_posts
from tokportal_server.analytics.filters import FilterQuery, Filters, read_filters
from tokportal_server.analytics.gains import Gained, read_gained
from tokportal_server.analytics.levels import includes, level_of, require_level
from tokportal_server.analytics.period import Period, read_period
from tokportal_server.analytics.post_list import ListPostsQuery, SortBy, list_posts, top_posts
from tokportal_server.analytics.series import SeriesQuery, SeriesShape, read_series
from tokportal_server.analytics.wire import Granularity, Mode, Series, SeriesMetric
from tokportal_server.console.acts import console_address
from tokportal_server.console.lists import blank, link, options, query_of
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.pages.page import Answer, Page, Shown, Stream, Visit, nothing_here
from tokportal_server.pages.texts import text
from tokportal_server.workspaces.reference import list_countries, list_platforms

_METRICS: Final[tuple[SeriesMetric, ...]] = get_args(SeriesMetric)
_MODES: Final[tuple[str, ...]] = get_args(Mode)
_GRANULARITIES: Final[tuple[str, ...]] = get_args(Granularity)
_SORTS: Final[tuple[str, ...]] = get_args(SortBy)
_TOTALS: Final = ("views", "likes", "comments", "shares", "bookmarks", "followers")
_SHOWN_ACCOUNTS: Final = 50
_SHOWN_POSTS: Final = 100


async def show_analytics(visit: Visit) -> Answer:
    """Show totals, their course, the best posts, and every account with its numbers."""
    conn, workspace_id = visit.conn, visit.workspace.id
    query, filters = query_of(visit, FilterQuery)
    asked, shape = query_of(visit, SeriesQuery)
    wrong, selected, period = "", Filters(workspace_id), read_period(None, None, now=visit.now)
    try:
        # The days of this page are those of the course, whenever posts were published.
        period = read_period(query.from_, query.to, now=visit.now)
        selected = await read_filters(
            conn,
            workspace_id,
            FilterQuery(platform=query.platform, country=query.country, account=query.account),
            now=visit.now,
        )
    except ApiError as error:
        wrong = error.message
    dashboard = await read_dashboard(
        conn,
        selected,
        now=visit.now,
        target_hours=visit.ports.settings.analytics_refresh_hours or None,
    )
    facts = {
        "dashboard": dashboard,
        "accounts": dashboard.accounts[:_SHOWN_ACCOUNTS],
        "totals": _TOTALS,
        "gained": {},
        "chart": None,
        "series": None,
        "choices": {**blank(FilterQuery), **blank(SeriesQuery), **filters, **shape},
        "asked": asked,
        "metrics": options("metric", _METRICS),
        "modes": options("mode", _MODES),
        "granularities": options("granularity", _GRANULARITIES),
        "wrong": wrong,
        **await _places(visit),
    }
    if includes(dashboard.tier, "creator"):
        course = await _course(visit, selected, asked, period)
        facts |= {
            "gained": await _gained(visit, selected, period),
            "series": course,
            "chart": chart_of(course),
        }
    return Shown("analytics.html", facts)


async def show_account_analytics(visit: Visit) -> Answer:
    """Show one account: its numbers and what they rose by, courses, its posts.

    Raises:
        PageNotFoundError: the workspace has no such account.
    """
    account_id = visit.id("account")
    listed, sorting = query_of(visit, ListPostsQuery)
    try:
        drilldown = await read_drilldown(
            visit.conn,
            visit.workspace.id,
            account_id,
            now=visit.now,
            target_hours=visit.ports.settings.analytics_refresh_hours or None,
        )
        posts, pages = await list_posts(visit.conn, visit.workspace.id, account_id, listed)
    except SavedAccountNotFoundError:
        raise nothing_here() from None
    facts = {
        "found": drilldown,
        "charts": [chart_of(course) for course in drilldown.series or ()],
        "totals": ("followers", "following", "posts", *_TOTALS[:-1]),
        "posts": posts,
        "pages": pages,
        "listed": listed,
        "sorting": {name: sorting[name] for name in ("sort_by", "sort_order") if name in sorting},
        "sorts": options("sort", _SORTS),
        **_addresses(visit),
    }
    return Shown("analytics_account.html", facts)


async def show_posts(visit: Visit) -> Answer:
    """Show the posts with the most views that filters leave; all of them are in the file."""
    conn, workspace_id = visit.conn, visit.workspace.id
    query, filters = query_of(visit, FilterQuery)
    wrong, selected = "", Filters(workspace_id)
    try:
        selected = await read_filters(conn, workspace_id, query, now=visit.now)
    except ApiError as error:
        wrong = error.message
    address = f"{console_address(visit)}/analytics/posts"
    facts = {
        "posts": await top_posts(conn, selected, limit=_SHOWN_POSTS),
        "most": _SHOWN_POSTS,
        "level": await level_of(conn, workspace_id),
        "choices": {**blank(FilterQuery), **filters},
        "wrong": wrong,
        "file": link(f"{address}.csv", filters),
        **await _places(visit),
    }
    return Shown("analytics_posts.html", facts)


async def give_posts(visit: Visit) -> Answer:
    """Give every post that filters leave as a file.

    Raises:
        AnalyticsLevelRequiredError: the plan is below ``creator``.
        ValidationError, SavedAccountNotFoundError: a filter is none.
    """
    query, _ = query_of(visit, ExportQuery)
    await require_level(visit.conn, visit.workspace.id, "creator", what=text("posts.file"))
    filters = await read_filters(visit.conn, visit.workspace.id, query, now=visit.now)
    chunks = export_posts(visit.ports.database, filters, query.q)
    return Stream(chunks, "text/csv", "analytics-videos.csv")


async def _course(visit: Visit, filters: Filters, asked: SeriesQuery, period: Period) -> Series:
    shape = SeriesShape(asked.metric, asked.granularity, asked.mode)
    return await read_series(visit.conn, filters, shape, period, today=visit.now.date())


async def _gained(visit: Visit, filters: Filters, period: Period) -> dict[str, Gained]:
    today = visit.now.date()
    return {
        metric: await read_gained(visit.conn, filters, metric, period, today=today)
        for metric in _METRICS
    }


def chart_of(course: Series) -> Markup:
    """Draw a series: bars for what was added, a line for what stands."""
    name = text(
        f"course.{course.mode}_{course.granularity}", metric=text(f"metric.{course.metric}")
    )
    points = [Point(date.fromisoformat(point.date), point.value) for point in course.points]
    draw = bar_chart if course.mode == "gained" else line_chart
    return draw(points, name=name, numbers=text("analytics.numbers"))


async def _places(visit: Visit) -> dict[str, Any]:
    """Give what one can choose from in filters."""
    accounts, _ = await list_accounts(
        visit.conn,
        visit.workspace.id,
        ListAccountsQuery(per_page=100),
        base_url=visit.ports.settings.origin(),
    )
    return {
        "own_accounts": [(str(one.id), f"@{one.username}") for one in accounts],
        "platforms": [(one.code, one.name) for one in await list_platforms(visit.conn)],
        "countries": [(one.code, one.name) for one in await list_countries(visit.conn)],
        **_addresses(visit),
    }


def _addresses(visit: Visit) -> dict[str, Any]:
    return {"address": f"{console_address(visit)}/analytics", "now": visit.now}


_HERE: Final = "/console/{workspace}/analytics"
ANALYTICS_PAGES: Final = (
    Page("analytics", "GET", _HERE, show_analytics),
    Page("analytics_account", "GET", f"{_HERE}/accounts/{{account}}", show_account_analytics),
    Page("analytics_posts", "GET", f"{_HERE}/posts", show_posts),
    Page("analytics_posts_csv", "GET", f"{_HERE}/posts.csv", give_posts),
)
