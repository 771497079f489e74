"""What a metric has gained in a period, day by day and in sum, beside the period before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tokportal_server.analytics.filters import Filters
from tokportal_server.analytics.period import Period
from tokportal_server.analytics.series import SeriesShape, read_series
from tokportal_server.analytics.wire import Granularity, Series, SeriesMetric
from tokportal_server.lib.db import Connection


@dataclass(frozen=True, slots=True)
class Gained:
    """The course of what was added; ``total`` is None if nothing was read in the period.

    ``before`` is the total of the period of the same length before it.
    """

    course: Series
    total: int | None
    before: int | None

    @property
    def change(self) -> float | None:
        """By how many per cent more was gained than before; None where that says nothing."""
        return change(self.total, self.before)


async def read_gained(
    conn: Connection,
    filters: Filters,
    metric: SeriesMetric,
    period: Period,
    *,
    today: date,
    granularity: Granularity = "day",
) -> Gained:
    """Read what a metric of the accounts that ``filters`` leave has gained."""
    shape = SeriesShape(metric, granularity, "gained")
    course = await read_series(conn, filters, shape, period, today=today)
    before = await read_series(conn, filters, shape, period.before, today=today)
    return Gained(course, total_of(course), total_of(before))


def total_of(course: Series) -> int | None:
    """Add up the points of a course of gains; None if none of them has a value."""
    known = [point.value for point in course.points if point.value is not None]
    return sum(known) if known else None


def change(now: int | None, before: int | None) -> float | None:
    """Give by how many per cent ``now`` is more than ``before``; None where that says nothing."""
    if now is None or not before:
        return None
    return round(100 * (now - before) / before, 1)
