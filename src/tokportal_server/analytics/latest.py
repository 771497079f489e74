"""The latest value of each metric, with where it comes from or why there is none.

A value stays until a later reading has another: a provider that once leaves a number out does not
make it unknown, it makes it older, and its time says so. The outcome is the same in whatever order
readings come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tokportal_server.analytics.observations import Metric, Reading, Source
from tokportal_server.analytics.rollups import Days, day_of, parts_of
from tokportal_server.lib.clock import wire_time
from tokportal_server.orders.locks import Row

# For each metric {source, collected_at}, and a reason if it has no value: as the wire has it.
Meta = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Latest:
    """The metrics of one post or account as they stand on its row."""

    values: dict[Metric, int | None]
    meta: Meta

    @classmethod
    def of(cls, row: Row, metrics: Iterable[Metric]) -> Latest:
        """Read those of ``metrics`` from a row."""
        stored: Meta = row["meta"]
        return cls(
            {metric: row[metric] for metric in metrics},
            {metric: stored[metric] for metric in metrics if metric in stored},
        )

    def count(self, days: Days, reading: Reading, moment: datetime, *, born: bool) -> None:
        """Collect in ``days`` what a reading changes that is newer than all before it."""
        day = day_of(moment)
        today = day.isoformat()
        for metric, known in self.values.items():
            if (value := reading.metrics.get(metric)) is not None:
                same_day = known is not None and self.meta[metric]["collected_at"][:10] == today
                parts_of(days, metric, day).count(value, known, same_day=same_day, born=born)

    def merge(self, reading: Reading, source: Source, collected_at: datetime) -> None:
        """Take in a reading, be it newer or older than what stands."""
        at = wire_time(collected_at)
        for metric, known in self.values.items():
            value = reading.metrics.get(metric)
            meta = self.meta.get(metric)
            newer = meta is None or (at, source) > (meta["collected_at"], meta["source"])
            if value is not None:
                if known is None or newer:
                    self.values[metric] = value
                    self.meta[metric] = {"source": source, "collected_at": at}
            elif known is None and newer:
                reason = reading.missing.get(metric, "not_supported")
                self.meta[metric] = {"source": source, "collected_at": at, "reason": reason}
