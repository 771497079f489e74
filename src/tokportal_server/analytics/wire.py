"""The objects that several reads of analytics share (contract section 11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokportal_server.analytics.latest import Meta as StoredMeta
from tokportal_server.analytics.levels import Level
from tokportal_server.analytics.observations import MissingReason, Source
from tokportal_server.lib.clock import Day, Timestamp

Count = Annotated[int, Meta(ge=0)]
SeriesMetric = Literal["views", "likes", "comments", "shares", "followers"]
Granularity = Literal["day", "week"]
Mode = Literal["cumulative", "gained", "snapshot"]


class MetricMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a number comes from, and how old it is; ``reason`` says why there is none.

    A sum is as old as the oldest of its parts, and its source is ``mixed`` if they differ.
    """

    source: Source | Literal["mixed"] | None
    collected_at: Timestamp | None
    reason: MissingReason | UnsetType = UNSET


MetricsMeta = dict[str, MetricMeta]


class Access(msgspec.Struct, frozen=True, rename="camel"):
    """What the workspace's plan includes; ``reason`` says what a larger one would add."""

    level: Level
    plan_tier: Level
    reason: str | None


class ContractRef(msgspec.Struct, frozen=True):
    """Which analytics contract the numbers follow, and where it can be read."""

    version: str
    path: str


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics that posts have, summed up where there are several; null has its reason beside it."""

    views: Count | None
    likes: Count | None
    comments: Count | None
    shares: Count | None
    bookmarks: Count | None
    engagement_rate: Annotated[float, Meta(ge=0)] | None
    metrics_meta: MetricsMeta


class PostNumbers(Numbers, frozen=True, kw_only=True):
    """A tracked post; ``video_id`` is null unless it is the post of a slot."""

    tracked_post_id: UUID
    video_id: UUID | None
    account_id: UUID
    username: str
    platform: str
    country: str
    platform_url: str
    description: str | None
    published_at: Timestamp | None
    source: Source | None
    collected_at: Timestamp | None


class AccountNumbers(Numbers, frozen=True, kw_only=True):
    """An account with its latest numbers."""

    account_id: UUID
    username: str
    visible_name: str
    platform: str
    country: str
    status: str
    profile_url: str
    tracked_posts: Count
    followers: Count | None
    following: Count | None
    posts: Count | None
    collected_at: Timestamp | None


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How old the numbers are; ``target_hours`` is null if nothing is collected by itself."""

    target_hours: int | None
    newest_collected_at: Timestamp | None
    oldest_collected_at: Timestamp | None
    accounts_stale: Count
    accounts_never_collected: Count


class Point(msgspec.Struct, frozen=True):
    """A day, or the week that begins on it; null means that nothing is known of it."""

    date: Day
    value: int | None
    accounts_counted: Count
    corrections: Count


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much the points rest on: accounts with any reading, and days with one."""

    accounts_total: Count
    accounts_with_data: Count
    days_total: Count
    days_observed: Count
    first_day: Day | None
    last_day: Day | None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over days or weeks, the oldest first."""

    metric: SeriesMetric
    granularity: Granularity
    mode: Mode
    points: list[Point]
    coverage: Coverage
    metrics_meta: MetricsMeta


class RawSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot in the provider's own words; ``redacted`` are the places taken out of it."""

    id: UUID
    source: Source
    collected_at: Timestamp
    payload: Any
    redacted: list[str]


class PostComment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment under a tracked post, as it was last read."""

    id: UUID
    tracked_post_id: UUID
    author_handle: str
    text: str
    like_count: int | None
    reply_count: int | None
    posted_at: Timestamp | None
    collected_at: Timestamp
    source: Source


NOT_YET = MetricMeta(None, None, "not_yet")


def meta_of(stored: StoredMeta, metrics: Iterable[str]) -> MetricsMeta:
    """Give source, time and reason of each metric; of what nobody has collected that, too."""
    return {
        metric: MetricMeta(**stored[metric]) if metric in stored else NOT_YET for metric in metrics
    }
