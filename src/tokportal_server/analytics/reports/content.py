"""What a report shows: everything in it, so that a stored one needs nothing else to be shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

Template = Literal["executive", "agency", "creator", "minimal", "growth", "board"]
Mode = Literal["cumulative", "gained"]


class Figure(msgspec.Struct, frozen=True):
    """One number of the totals.

    ``value`` as it stood at the end (null: unknown, ``reason`` says why), ``gained`` within the
    period, ``gained_before`` within the period of the same length before it.
    """

    metric: str
    value: int | None
    gained: int | None = None
    gained_before: int | None = None
    reason: str | None = None


class SeriesPoint(msgspec.Struct, frozen=True):
    """A value of a day, or of the week that begins on it."""

    on: date
    value: int | None


class Series(msgspec.Struct, frozen=True):
    """The course of one metric."""

    metric: str
    mode: Mode
    granularity: Literal["day", "week"]
    points: list[SeriesPoint]
    corrections: int = 0


class AccountRow(msgspec.Struct, frozen=True):
    """An account with its latest numbers."""

    username: str
    platform: str
    country: str
    followers: int | None
    views: int | None
    likes: int | None
    engagement_rate: float | None
    posts: int
    collected_at: datetime | None


class PostRow(msgspec.Struct, frozen=True):
    """A post with its latest numbers."""

    username: str
    platform: str
    platform_url: str | None
    description: str | None
    published_at: datetime | None
    views: int | None
    likes: int | None
    comments: int | None
    shares: int | None
    engagement_rate: float | None


class Part(msgspec.Struct, frozen=True):
    """A platform's or a country's share."""

    name: str
    accounts: int
    views: int


class Content(msgspec.Struct, frozen=True):
    """A report, frozen at ``made_at``; ``days`` are inclusive and in UTC."""

    title: str
    template: Template
    brand_name: str
    brand_accent: str
    workspace_id: UUID
    made_at: datetime
    first_day: date
    last_day: date
    account_count: int
    post_count: int
    engagement_rate: float | None
    figures: list[Figure]
    series: list[Series]
    accounts: list[AccountRow]
    posts: list[PostRow]
    platforms: list[Part]
    countries: list[Part]
    sources: list[str]
    oldest: datetime | None
    newest: datetime | None
    rehearsal: bool = False

    def figure(self, metric: str) -> Figure:
        """Give a number of the totals; one that was not frozen is unknown."""
        return next((one for one in self.figures if one.metric == metric), Figure(metric, None))

    def course(self, metric: str, mode: Mode) -> Series | None:
        """Give a series, if it was frozen."""
        return next((s for s in self.series if (s.metric, s.mode) == (metric, mode)), None)
