"""One account in detail (``getAnalyticsAccount``), and its view for older clients."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta

from tokportal_server.analytics.account_list import ReadAccount, freshness, read_account
from tokportal_server.analytics.dashboard import CONTRACT, access_of
from tokportal_server.analytics.errors import AnalyticsNotFoundError
from tokportal_server.analytics.filters import Filters
from tokportal_server.analytics.levels import includes, level_of
from tokportal_server.analytics.observations import METRICS, Metric
from tokportal_server.analytics.period import read_period
from tokportal_server.analytics.post_list import top_posts
from tokportal_server.analytics.rates import RATE
from tokportal_server.analytics.series import SeriesShape, read_series
from tokportal_server.analytics.wire import (
    Access,
    AccountNumbers,
    ContractRef,
    Count,
    Freshness,
    MetricMeta,
    PostNumbers,
    Series,
)
from tokportal_server.lib.clock import Timestamp, wire_time
from tokportal_server.lib.db import Connection, existing
from tokportal_server.orders.locks import Row

# What each metric has risen by since a day; one without a reading since then is not there.
DELTAS = """
SELECT metric, sum(gain - fall)::bigint AS delta FROM account_days
 WHERE workspace_id = $1 AND saved_account_id = $2 AND day > $3 GROUP BY metric
"""
POST_FACTS = """
SELECT count(published_at) AS published, min(published_at) AS first_published_at,
       avg(views)::float8 AS average_views,
       avg(100.0 * (likes + comments + shares) / NULLIF(views, 0))::float8 AS average_rate
  FROM tracked_posts WHERE workspace_id = $1 AND saved_account_id = $2
"""
_WEEK: Final = timedelta(days=7)
_SHOWN: Final = (
    SeriesShape("views", mode="cumulative"),
    SeriesShape("views", mode="gained"),
    SeriesShape("followers", mode="cumulative"),
)

Delta = dict[Metric, int | None]


class Deltas(msgspec.Struct, frozen=True):
    """What each metric rose by, or fell; null without a reading in that time."""

    last_7_days: Delta
    last_30_days: Delta


class AccountProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Who the account is."""

    username: str
    visible_name: str
    platform: str
    country: str
    status: str
    profile_url: str


class AccountDrilldown(msgspec.Struct, frozen=True, kw_only=True):
    """An account in detail; ``deltas`` and ``series`` are null below the plan creator.

    ``plan_reasons`` says so where a part is missing because of the plan.
    """

    account_id: UUID
    profile: AccountProfile
    latest: AccountNumbers
    deltas: Deltas | None
    series: list[Series] | None
    top_posts: list[PostNumbers]
    freshness: Freshness
    access: Access
    contract: ContractRef
    metrics_meta: dict[str, MetricMeta]


class AccountAnalytics(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of an account as older clients know them; sums are over its tracked posts."""

    account_id: UUID
    followers_count: Count | None
    following_count: Count | None
    total_videos_tracked: Count
    total_views: Count | None
    total_likes: Count | None
    total_comments: Count | None
    total_shares: Count | None
    total_bookmarks: Count | None
    average_engagement_rate: Annotated[float, Meta(ge=0)] | None
    average_video_views: Annotated[float, Meta(ge=0)] | None
    weekly_post_average: Annotated[float, Meta(ge=0)] | None
    scraped_at: Timestamp
    metrics_meta: dict[str, MetricMeta]


async def read_drilldown(
    conn: Connection,
    workspace_id: UUID,
    account_id: UUID,
    *,
    now: datetime,
    target_hours: int | None,
) -> AccountDrilldown:
    """Give an account in detail, with what the plan includes.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    account = await read_account(conn, workspace_id, account_id)
    level = await level_of(conn, workspace_id)
    filters = Filters(workspace_id, accounts=[account_id])
    latest = account.numbers()
    meta = dict(latest.metrics_meta)
    deltas, series = None, None
    if includes(level, "creator"):
        deltas = await _deltas(conn, workspace_id, account_id, now.date())
        period = read_period(None, None, now=now)
        series = [
            await read_series(conn, filters, shape, period, today=now.date()) for shape in _SHOWN
        ]
    else:
        meta |= dict.fromkeys(("deltas", "series"), MetricMeta(None, None, "plan_level"))
    return AccountDrilldown(
        account_id=account_id,
        profile=_profile(account.row),
        latest=latest,
        deltas=deltas,
        series=series,
        top_posts=await top_posts(conn, filters),
        freshness=freshness([account], now=now, target_hours=target_hours),
        access=access_of(level),
        contract=CONTRACT,
        metrics_meta=meta,
    )


def _profile(row: Row) -> AccountProfile:
    return AccountProfile(**{name: row[name] for name in AccountProfile.__struct_fields__})


async def _deltas(conn: Connection, workspace_id: UUID, account_id: UUID, today: date) -> Deltas:
    found: list[Delta] = []
    for days in (7, 30):
        since = today - timedelta(days=days)
        rows = await conn.fetch(DELTAS, workspace_id, account_id, since)
        risen = {row["metric"]: row["delta"] for row in rows}
        found.append({metric: risen.get(metric) for metric in METRICS})
    return Deltas(*found)


async def read_account_analytics(
    conn: Connection, workspace_id: UUID, account_id: UUID, *, now: datetime
) -> AccountAnalytics:
    """Give the view of an account that older clients know.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
        AnalyticsNotFoundError: nothing was collected of it yet.
    """
    account = await read_account(conn, workspace_id, account_id)
    if account.collected_at is None:
        raise AnalyticsNotFoundError(
            f"Nothing was collected of account {account.row['username']} yet. Collect its numbers:"
            f" POST /analytics/accounts/{account_id}/refresh."
        )
    facts = existing(await conn.fetchrow(POST_FACTS, workspace_id, account_id))
    return _older_view(account, account.collected_at, facts, now)


def _older_view(
    account: ReadAccount, collected_at: datetime, facts: Row, now: datetime
) -> AccountAnalytics:
    values, meta = account.figures.values, account.figures.wire_meta()
    names = {
        "followers_count": "followers",
        "following_count": "following",
        **{f"total_{m}": m for m in ("views", "likes", "comments", "shares", "bookmarks")},
    }
    weekly = _per_week(facts, now)
    averages = {
        "average_engagement_rate": facts["average_rate"],
        "average_video_views": facts["average_views"],
        "weekly_post_average": weekly,
    }
    told = {name: meta[metric] for name, metric in names.items()}
    told["average_engagement_rate"] = meta[RATE]
    told["average_video_views"] = meta["views"]
    told["weekly_post_average"] = MetricMeta(
        meta["views"].source, wire_time(collected_at), "not_yet" if weekly is None else UNSET
    )
    return AccountAnalytics(
        account_id=account.row["id"],
        total_videos_tracked=account.figures.tracked_posts,
        **{name: values[metric] for name, metric in names.items()},
        **averages,
        scraped_at=wire_time(collected_at),
        metrics_meta=told,
    )


def _per_week(facts: Row, now: datetime) -> float | None:
    """Give how many posts were published a week, since the first; at least one week counts."""
    if not facts["published"]:
        return None
    weeks = max(1.0, (now - facts["first_published_at"]) / _WEEK)
    return float(facts["published"] / weeks)
