"""The arithmetic of days: what one more reading changes, in parts that can be added up.

A counter's first reading is ``gain`` if it was born at 0 (a post of ours) and ``baseline`` if it
was there before anybody looked. Every later one adds what it rose to ``gain``, or what it fell to
``fall``. So the value after a day is the sum of baseline + gain - fall up to it, whatever days are
missing, and a workspace is the sum of its accounts (contract section 11).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from tokportal_server.analytics.observations import Metric


class Sighting(NamedTuple):
    """A value of one counter, with when and from whom; these two order the sightings."""

    collected_at: datetime
    source: str
    value: int


@dataclass(slots=True)
class DayParts:
    """What the readings of one day changed; ``seen`` is the value that was read last."""

    baseline: int = 0
    gain: int = 0
    fall: int = 0
    seen: int = 0

    def count(self, value: int, previous: int | None, *, same_day: bool, born: bool) -> None:
        """Count a reading of one counter after the one before it, which may be of the same day."""
        if previous is None:
            if born:
                self.gain += value
            else:
                self.baseline += value
        elif value >= previous:
            self.gain += value - previous
        else:
            self.fall += previous - value
        self.seen += value - previous if previous is not None and same_day else value

    def take_off(self, other: DayParts) -> None:
        """Take another's parts off."""
        self.baseline -= other.baseline
        self.gain -= other.gain
        self.fall -= other.fall
        self.seen -= other.seen


# What changes, by metric and day.
Days = dict[tuple[Metric, date], DayParts]


def day_of(moment: datetime) -> date:
    """Give the day that a reading counts for, in UTC."""
    return moment.astimezone(UTC).date()


def parts_of(days: Days, metric: Metric, day: date) -> DayParts:
    """Give the parts of a metric's day, to be added to."""
    if (parts := days.get((metric, day))) is None:
        parts = days[metric, day] = DayParts()
    return parts


def add_chain(days: Days, metric: Metric, chain: Iterable[Sighting], *, born: bool) -> None:
    """Count every sighting of one counter, whatever order they come in."""
    before: int | None = None
    on: date | None = None
    for at, _, value in sorted(chain):
        day = day_of(at)
        parts_of(days, metric, day).count(value, before, same_day=day == on, born=born)
        before, on = value, day


def subtract(days: Days, other: Days) -> None:
    """Take ``other`` off ``days``, in place."""
    for (metric, day), parts in other.items():
        parts_of(days, metric, day).take_off(parts)
