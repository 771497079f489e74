"""The engagement rate: 100 x (likes + comments + shares) / views (contract section 11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET

from tokportal_server.analytics.wire import MetricMeta, MetricsMeta

RATE: Final = "engagement_rate"
_PARTS: Final = ("views", "likes", "comments", "shares")


def rate_of(engagements: int | None, views: int | None) -> float | None:
    """Give the rate in percent; None if a part is unknown, or at 0 views."""
    return 100 * engagements / views if views and engagements is not None else None


def rate_meta(
    values: Mapping[str, int | None], meta: MetricsMeta, rate: float | None
) -> MetricMeta:
    """Say where a rate comes from: it is as old as the oldest of its parts.

    Without one, the first unknown part says why; at 0 views there is none yet.
    """
    for part in _PARTS:
        if rate is None and values[part] is None:
            return meta[part]
    parts = [meta[part] for part in _PARTS if meta[part].collected_at is not None]
    sources = {part.source for part in parts}
    times = [part.collected_at for part in parts if part.collected_at is not None]
    return MetricMeta(
        sources.pop() if len(sources) == 1 else "mixed",
        min(times, default=None),
        "not_yet" if rate is None else UNSET,
    )
