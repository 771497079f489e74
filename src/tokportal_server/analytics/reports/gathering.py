"""What a report is to show, read from the stored numbers at one moment.

Totals and lists are as they stand now; what was gained is of the period, from the daily rollups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

from tokportal_server.analytics.account_list import ReadAccount, read_accounts
from tokportal_server.analytics.account_sums import MIXED
from tokportal_server.analytics.figures import Figures, add_up
from tokportal_server.analytics.filters import ACCOUNTS, FilterQuery, Filters, read_filters
from tokportal_server.analytics.gains import Gained, read_gained, total_of
from tokportal_server.analytics.levels import require_level
from tokportal_server.analytics.period import Period, read_period
from tokportal_server.analytics.post_list import top_posts
from tokportal_server.analytics.reports import content as frozen
from tokportal_server.analytics.reports.wire import (
    DEFAULT_ACCENT,
    DEFAULT_TEMPLATE,
    CreateAnalyticsReportRequest,
)
from tokportal_server.analytics.series import SeriesShape, read_series
from tokportal_server.analytics.wire import Granularity, PostNumbers, Series, SeriesMetric
from tokportal_server.lib.db import Connection, existing

WORKSPACE = "SELECT name, rehearsal FROM workspaces WHERE id = $1"
# Accounts that a text is in the name of, or in a caption of.
MATCHING = f"""
SELECT a.id FROM saved_accounts a
 WHERE {ACCOUNTS}
   AND (strpos(lower(a.username), lower($5)) > 0 OR strpos(lower(a.visible_name), lower($5)) > 0
        OR EXISTS (SELECT FROM tracked_posts t
                    WHERE t.workspace_id = a.workspace_id AND t.saved_account_id = a.id
                      AND strpos(lower(t.description), lower($5)) > 0))
"""
_METRICS: Final = ("views", "likes", "comments", "shares", "bookmarks", "followers")
_COURSES: Final[tuple[SeriesMetric, ...]] = ("views", "likes", "comments", "shares", "followers")
# Whose course is drawn: what is added day by day, and what it comes to.
_GAINED: Final = frozenset({"views", "likes", "followers"})
_IN_TOTAL: Final = frozenset({"views", "followers"})
_MOST_POSTS: Final = 20
_MOST_ACCOUNTS: Final = 50
# So many are looked through for those with a text.
_SEARCHED_POSTS: Final = 1000
_LONGEST_CAPTION: Final = 300
# From here on a bar stands for a week.
_MOST_BARS: Final = 92


async def gather(
    conn: Connection,
    workspace_id: UUID,
    request: CreateAnalyticsReportRequest,
    *,
    now: datetime,
) -> frozen.Content:
    """Read everything that a report shows.

    Raises:
        AnalyticsLevelRequiredError: the plan is below ``creator``.
        SavedAccountNotFoundError, AnalyticsNotFoundError: it names what is not the workspace's.
        ValidationError: the period is none.
    """
    await require_level(conn, workspace_id, "creator", what="A report")
    period = read_period(request.from_, request.to, now=now)
    filters = await _filters(conn, workspace_id, request, now)
    accounts = await read_accounts(conn, filters)
    total = add_up([account.figures for account in accounts])
    posts = await _posts(conn, filters, request.query)
    today = now.date()
    granularity: Granularity = "day" if period.days <= _MOST_BARS else "week"
    gained: dict[str, Gained] = {
        metric: await read_gained(
            conn, filters, metric, period, today=today, granularity=granularity
        )
        for metric in _COURSES
    }
    times = [one.collected_at for one in accounts if one.collected_at is not None]
    workspace = existing(await conn.fetchrow(WORKSPACE, workspace_id))
    return frozen.Content(
        title=request.title or "What the posts have achieved",
        template=request.template or DEFAULT_TEMPLATE,
        brand_name=workspace["name"] if request.brand_name is None else request.brand_name,
        brand_accent=request.brand_accent or DEFAULT_ACCENT,
        workspace_id=workspace_id,
        made_at=now,
        first_day=period.first_day,
        last_day=min(period.last_day, today),
        account_count=len(accounts),
        post_count=total.tracked_posts,
        engagement_rate=total.rate,
        figures=[_figure(metric, total, gained.get(metric)) for metric in _METRICS],
        series=await _drawn(conn, filters, period, gained, today),
        accounts=[_account(one) for one in accounts[:_MOST_ACCOUNTS]],
        posts=[_post(one) for one in posts],
        platforms=_parts(accounts, "platform"),
        countries=_parts(accounts, "country"),
        sources=_sources(accounts),
        oldest=min(times, default=None),
        newest=max(times, default=None),
        rehearsal=workspace["rehearsal"],
    )


async def _filters(
    conn: Connection, workspace_id: UUID, request: CreateAnalyticsReportRequest, now: datetime
) -> Filters:
    query = FilterQuery(
        workspace=request.workspace_id,
        platform=request.platforms or None,
        country=request.countries or None,
        account=request.account_ids or None,
    )
    filters = await read_filters(conn, workspace_id, query, now=now)
    sought = (request.query or "").strip()
    if not sought:
        return filters
    rows = await conn.fetch(MATCHING, *filters.of_accounts, sought)
    return replace(filters, accounts=[row["id"] for row in rows])


async def _posts(conn: Connection, filters: Filters, query: str | None) -> list[PostNumbers]:
    sought = (query or "").strip().lower()
    if not sought:
        return await top_posts(conn, filters, limit=_MOST_POSTS)
    found = await top_posts(conn, filters, limit=_SEARCHED_POSTS)
    return [
        post
        for post in found
        if sought in (post.description or "").lower() or sought in post.username.lower()
    ][:_MOST_POSTS]


def _figure(metric: str, total: Figures, gained: Gained | None) -> frozen.Figure:
    reason = total.meta.get(metric, {}).get("reason", "not_yet")
    value = total.values[metric]
    return frozen.Figure(
        metric=metric,
        value=value,
        gained=None if gained is None else gained.total,
        gained_before=None if gained is None else gained.before,
        reason=reason if value is None else None,
    )


async def _drawn(
    conn: Connection, filters: Filters, period: Period, gained: dict[str, Gained], today: date
) -> list[frozen.Series]:
    """Give the courses to be drawn; those without a single value would be empty pictures."""
    drawn = []
    for metric in _COURSES:
        if metric in _IN_TOTAL:
            shape = SeriesShape(metric)
            drawn.append(await read_series(conn, filters, shape, period, today=today))
        if metric in _GAINED:
            drawn.append(gained[metric].course)
    return [_frozen(course) for course in drawn if total_of(course) is not None]


def _frozen(course: Series) -> frozen.Series:
    return frozen.Series(
        metric=course.metric,
        mode="gained" if course.mode == "gained" else "cumulative",
        granularity=course.granularity,
        points=[
            frozen.SeriesPoint(date.fromisoformat(point.date), point.value)
            for point in course.points
        ],
        corrections=sum(point.corrections for point in course.points),
    )


def _account(account: ReadAccount) -> frozen.AccountRow:
    row, figures = account.row, account.figures
    return frozen.AccountRow(
        username=row["username"],
        platform=row["platform"],
        country=row["country"],
        followers=figures.values["followers"],
        views=figures.values["views"],
        likes=figures.values["likes"],
        engagement_rate=figures.rate,
        posts=figures.tracked_posts,
        collected_at=account.collected_at,
    )


def _post(post: PostNumbers) -> frozen.PostRow:
    return frozen.PostRow(
        username=post.username,
        platform=post.platform,
        platform_url=post.platform_url,
        description=post.description and post.description[:_LONGEST_CAPTION],
        published_at=datetime.fromisoformat(post.published_at) if post.published_at else None,
        views=post.views,
        likes=post.likes,
        comments=post.comments,
        shares=post.shares,
        engagement_rate=post.engagement_rate,
    )


def _parts(accounts: Sequence[ReadAccount], column: str) -> list[frozen.Part]:
    counts = Counter(account.row[column] for account in accounts)
    views: Counter[str] = Counter()
    for account in accounts:
        views[account.row[column]] += account.figures.values["views"] or 0
    parts = [frozen.Part(name, count, views[name]) for name, count in counts.items()]
    return sorted(parts, key=lambda part: (-part.views, part.name))


def _sources(accounts: Sequence[ReadAccount]) -> list[str]:
    """Name where the numbers come from; a sum of several sources names them in its parts."""
    found = {
        meta["source"]
        for account in accounts
        for metric, meta in account.figures.meta.items()
        if account.figures.values[metric] is not None
    }
    return sorted(source for source in found if source is not None and source != MIXED)
