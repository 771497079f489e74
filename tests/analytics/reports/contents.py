"""A report's content, made up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tokportal_server.analytics.reports.content import (
    AccountRow,
    Content,
    Figure,
    Part,
    PostRow,
    Series,
    SeriesPoint,
)

LAST = date(2026, 11, 22)
MADE = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def content(**changes: Any) -> Content:
    """Give a report of thirty days, ten posts and three accounts."""
    days = [LAST - timedelta(29 - at) for at in range(30)]
    whole = Content(
        title="Autumn launch",
        template="executive",
        brand_name="Northwind",
        brand_accent="#ffd400",
        workspace_id=UUID(int=1),
        made_at=MADE,
        first_day=days[0],
        last_day=LAST,
        account_count=3,
        post_count=10,
        engagement_rate=6.4,
        figures=[
            Figure("views", 2_483_120, 412_345, 368_000),
            Figure("likes", 158_230, 21_400, 24_000),
            Figure("comments", 9_214, 1_203, 1_203),
            Figure("shares", 4_310, 812),
            Figure("bookmarks", None, reason="not_supported"),
            Figure("followers", 64_210, 5_230, 4_100),
        ],
        series=[
            Series(metric, mode, "day", [SeriesPoint(day, at * 100) for at, day in enumerate(days)])
            for metric in ("views", "followers")
            for mode in ("cumulative", "gained")
        ],
        accounts=[
            AccountRow(f"name.{at}", "tiktok", "FR", 9_000 - at, 90_000, 4_000, 5.1, 4, MADE)
            for at in range(3)
        ],
        posts=[post(at) for at in range(10)],
        platforms=[Part("tiktok", 2, 900_000), Part("instagram", 1, 300_000)],
        countries=[Part("FR", 3, 1_200_000)],
        sources=["tiktok_api"],
        oldest=MADE,
        newest=MADE,
    )
    return msgspec.structs.replace(whole, **changes)


def post(at: int, **changes: Any) -> PostRow:
    """Give a post."""
    made = PostRow(
        username="name.0",
        platform="tiktok",
        platform_url=f"https://www.tiktok.com/@name.0/video/{at}",
        description=f"Post {at}",
        published_at=MADE,
        views=90_000 - at,
        likes=4_000,
        comments=120,
        shares=None,
        engagement_rate=4.7,
    )
    return msgspec.structs.replace(made, **changes)
