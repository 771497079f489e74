"""What the numbers mean: the analytics contract, as ``getAnalyticsContract`` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from tokportal_server.analytics.levels import Level
from tokportal_server.analytics.observations import Metric, Source

CONTRACT_VERSION: Final = "v2"
CONTRACT_HEADER: Final[Mapping[str, str]] = {"X-TokPortal-Analytics-Contract": CONTRACT_VERSION}
# What stands beside `data` in every answer of the group.
VERSION_SIBLING: Final[Mapping[str, Any]] = {
    "contract_version": {"type": "string", "const": CONTRACT_VERSION}
}
VERSION: Final[Mapping[str, Any]] = {"contract_version": CONTRACT_VERSION}

Kind = Literal["cumulative counter", "gauge", "ratio"]
# Where a metric comes from, by platform: what its official API gives to an app of the operator.
_BOTH: Final = ("tiktok_api", "instagram_api", "manual", "simulator")
_NOT_TIKTOK: Final = ("instagram_api", "manual", "simulator")


class MetricDefinition(msgspec.Struct, frozen=True):
    """One metric: what is counted, of what, and who can tell."""

    name: str
    unit: str
    kind: Kind
    of: Literal["account", "post", "post and account"]
    meaning: str
    sources: list[Source]


_SUMMED: Final = "Of an account: the sum over its tracked posts."
METRIC_DEFINITIONS: Final = (
    MetricDefinition(
        "followers", "accounts", "gauge", "account", "Accounts that follow it.", [*_BOTH]
    ),
    MetricDefinition(
        "following", "accounts", "gauge", "account", "Accounts that it follows.", [*_BOTH]
    ),
    MetricDefinition(
        "posts", "posts", "gauge", "account", "Posts that the platform counts.", [*_BOTH]
    ),
    MetricDefinition(
        "views",
        "views",
        "cumulative counter",
        "post and account",
        f"Times that the post was played or seen, as the platform counts it. {_SUMMED}",
        [*_BOTH],
    ),
    MetricDefinition(
        "likes",
        "likes",
        "cumulative counter",
        "post and account",
        f"Likes that stand at that time; it may fall. {_SUMMED}",
        [*_BOTH],
    ),
    MetricDefinition(
        "comments",
        "comments",
        "cumulative counter",
        "post and account",
        f"Comments that stand at that time; it may fall. {_SUMMED}",
        [*_BOTH],
    ),
    MetricDefinition(
        "shares",
        "shares",
        "cumulative counter",
        "post and account",
        f"Times that the post was sent on. {_SUMMED}",
        [*_BOTH],
    ),
    MetricDefinition(
        "bookmarks",
        "saves",
        "cumulative counter",
        "post and account",
        f"Times that the post was saved. {_SUMMED}",
        [*_NOT_TIKTOK],
    ),
    MetricDefinition(
        "engagement_rate",
        "percent",
        "ratio",
        "post and account",
        "100 x (likes + comments + shares) / views; null at 0 views. Of several posts: of their"
        " sums, leaving out posts of which one of the four is unknown.",
        [*_BOTH],
    ),
)


class ModeDefinition(msgspec.Struct, frozen=True):
    """One way to look at a series."""

    name: str
    meaning: str


MODE_DEFINITIONS: Final = (
    ModeDefinition(
        "cumulative",
        "The value as it stood at the end of the day; days without a reading carry it forward."
        " `accounts_counted` is how many accounts had been read by then.",
    ),
    ModeDefinition(
        "gained",
        "What the readings of the day added; null if there were none. The first numbers of a post"
        " of ours are a gain, those of an imported post or of an account are not. A counter that"
        " falls adds nothing: the fall is in `corrections`.",
    ),
    ModeDefinition(
        "snapshot",
        "The sum of what was read last on that day, null if nothing was; `accounts_counted` is how"
        " many accounts were read. A week shows its last day with a reading.",
    ),
)
REASONS: Final[Mapping[str, str]] = {
    "not_supported": "The platform's API does not give this number.",
    "not_yet": "Nothing was collected yet, or nothing that it could be worked out from.",
    "no_permission": "The account's connection does not allow it.",
    "provider_error": "The provider failed for this number.",
    "plan_level": "The workspace's plan does not include it.",
}
REDACTION_RULES: Final = (
    "Values of fields that carry a token, secret, password, key, signature or cookie.",
    "E-mail addresses, phone numbers and dates of birth, by the name of their field.",
    "Addresses of further pages, for they carry the token of the connection.",
    "Texts that look like a credential, wherever they stand.",
)
LEVELS: Final[Mapping[Level, tuple[str, ...]]] = {
    "starter": (
        "dashboard",
        "contract",
        "account and post numbers",
        "account drilldown",
        "refresh",
    ),
    "creator": ("series", "deltas", "CSV export", "reports"),
    "full": ("raw snapshots", "comments", "comment pulse", "force", "includeComments"),
}
METRIC_NAMES: Final[tuple[Metric, ...]] = ("views", "likes", "comments", "shares", "followers")
