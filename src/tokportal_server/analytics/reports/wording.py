"""The words of reports that depend on their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokportal_server.analytics.gains import change
from tokportal_server.analytics.numbers import percent, short
from tokportal_server.analytics.reports.content import Content, Figure, Series

METRICS: Final[Mapping[str, str]] = {
    "views": "Views",
    "likes": "Likes",
    "comments": "Comments",
    "shares": "Shares",
    "bookmarks": "Bookmarks",
    "followers": "Followers",
}
PLATFORMS: Final[Mapping[str, str]] = {"tiktok": "TikTok", "instagram": "Instagram"}
SOURCES: Final[Mapping[str, str]] = {
    "tiktok_api": "TikTok Display API",
    "instagram_api": "Instagram Graph API",
    "manual": "entered by the account's manager",
    "simulator": "rehearsal simulator",
}
REASONS: Final[Mapping[str, str]] = {
    "not_supported": "The platform does not tell this number.",
    "not_yet": "Not collected yet.",
    "no_permission": "The account has not permitted reading this.",
    "provider_error": "The platform could not be read.",
    "plan_level": "Not part of the plan.",
}


def series_name(series: Series) -> str:
    """Name a course: ``Views gained per day``."""
    metric = METRICS[series.metric]
    if series.mode == "gained":
        return f"{metric} gained per {series.granularity}"
    return f"{metric} in total"


def change_of(figure: Figure) -> float | None:
    """Give by how many per cent more was gained than before; None if that says nothing."""
    return change(figure.gained, figure.gained_before)


def summary_of(content: Content) -> str:
    """Say what the numbers say, in a sentence or two."""
    views = content.figure("views")
    posts = "1 post" if content.post_count == 1 else f"{content.post_count:,} posts"
    accounts = "1 account" if content.account_count == 1 else f"{content.account_count:,} accounts"
    if views.value is None:
        return f"{posts} on {accounts}; their views are not known yet."
    told = f"{posts} on {accounts} have been viewed {short(views.value)} times"
    if views.gained is None:
        return f"{told}."
    told = f"{told}, {short(views.gained)} of them in this period"
    risen = change_of(views)
    if risen is None:
        return f"{told}."
    if risen == 0:
        return f"{told}: as many as in the period before."
    than = "more" if risen > 0 else "fewer"
    return f"{told}: {percent(abs(risen))} {than} than in the period before."
