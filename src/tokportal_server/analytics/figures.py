"""The numbers of an account, or of several added up, before they are written for the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tokportal_server.analytics.account_sums import ACCOUNT_METRICS, MIXED, meta_of_sums
from tokportal_server.analytics.latest import Meta
from tokportal_server.analytics.observations import METRICS, POST_METRICS
from tokportal_server.analytics.rates import RATE, rate_meta, rate_of
from tokportal_server.analytics.wire import MetricsMeta, meta_of
from tokportal_server.orders.locks import Row


@dataclass(slots=True)
class Figures:
    """Metrics by name, each with its source and time or the reason why it is unknown."""

    values: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(METRICS))
    meta: Meta = field(default_factory=dict)
    engagements: int | None = None
    engaged_views: int | None = None
    tracked_posts: int = 0

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row of ``account_latest``."""
        return cls(
            {metric: row[metric] for metric in METRICS},
            row["meta"],
            row["engagements"],
            row["engaged_views"],
            row["tracked_posts"],
        )

    def with_posts(self, sums: Row | None) -> Figures:
        """Give the account's own metrics beside the sums of some of its posts, or of none."""
        own: dict[str, int | None] = {m: self.values[m] for m in ACCOUNT_METRICS}
        meta: Meta = {m: self.meta[m] for m in ACCOUNT_METRICS if m in self.meta}
        if sums is None:
            return Figures({**dict.fromkeys(METRICS), **own}, meta)
        return Figures(
            own | {metric: sums[metric] for metric in POST_METRICS},
            meta | meta_of_sums(sums),
            sums["engagements"],
            sums["engaged_views"],
            sums["tracked_posts"],
        )

    @property
    def rate(self) -> float | None:
        """The engagement rate in percent."""
        return rate_of(self.engagements, self.engaged_views)

    def wire_meta(self) -> MetricsMeta:
        """Say of each number where it comes from."""
        meta = meta_of(self.meta, METRICS)
        meta[RATE] = rate_meta(self.values, meta, self.rate)
        return meta


def add_up(figures: Sequence[Figures]) -> Figures:
    """Add up accounts; what is unknown of one is left out, and of all of them stays unknown."""
    total = Figures(
        engagements=known_sum(one.engagements for one in figures),
        engaged_views=known_sum(one.engaged_views for one in figures),
        tracked_posts=sum(one.tracked_posts for one in figures),
    )
    for metric in METRICS:
        total.values[metric] = known_sum(one.values[metric] for one in figures)
        known = total.values[metric] is not None
        meta = [
            one.meta[metric]
            for one in figures
            if metric in one.meta and (one.values[metric] is not None) == known
        ]
        if meta:
            total.meta[metric] = _oldest(meta) if known else max(meta, key=_collected)
    return total


def known_sum(values: Iterable[int | None]) -> int | None:
    """Add up what is known; None if nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _oldest(meta: Sequence[dict[str, Any]]) -> dict[str, Any]:
    sources = {one["source"] for one in meta}
    source = sources.pop() if len(sources) == 1 else MIXED
    return {"source": source, "collected_at": min(map(_collected, meta))}


def _collected(meta: dict[str, Any]) -> str:
    return str(meta["collected_at"])
