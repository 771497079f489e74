"""``from`` and ``to`` of reads and reports: days or instants, inclusive, at most 400 days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

from msgspec import Meta

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.clock import in_utc

MOST_DAYS: Final = 400
DEFAULT_DAYS: Final = 30
_DAY: Final = timedelta(days=1)
# An instant is written with milliseconds; the one that is named is within.
_TICK: Final = timedelta(milliseconds=1)

Boundary = Annotated[
    str,
    Meta(
        max_length=40,
        description="A day (`YYYY-MM-DD`, in UTC) or an ISO 8601 instant; inclusive.",
        examples=["2026-11-01"],
    ),
]


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` up to, but without, ``until``."""

    since: datetime
    until: datetime

    @property
    def first_day(self) -> date:
        """The day of its beginning, in UTC."""
        return self.since.date()

    @property
    def last_day(self) -> date:
        """The last day that it touches, in UTC."""
        return (self.until - _TICK).date()

    @property
    def days(self) -> int:
        """How many days it touches."""
        return (self.last_day - self.first_day).days + 1

    @property
    def before(self) -> Period:
        """The days before it, as many as it has."""
        first = datetime.combine(self.first_day, time(), UTC)
        return Period(first - self.days * _DAY, first)


def read_period(given_from: str | None, given_to: str | None, *, now: datetime) -> Period:
    """Read what a caller gave; without ``from`` the last 30 days up to ``to``, which is now.

    Raises:
        ValidationError: one is no day or instant, they are the wrong way round, or too far apart.
    """
    problems: list[Problem] = []
    until = _read("to", given_to, problems, end=True) or _end_of(now)
    since = _read("from", given_from, problems, end=False) or _start_of(
        until - _TICK - (DEFAULT_DAYS - 1) * _DAY
    )
    if not problems:
        problems += _broken_rules(Period(since, until), given_from, given_to)
    refuse(problems)
    return Period(since, until)


def _broken_rules(period: Period, given_from: str | None, given_to: str | None) -> list[Problem]:
    if period.since >= period.until:
        return [Problem("from", "must not be after to, nor after today without one", given_from)]
    if period.days > MOST_DAYS:
        given = given_to if given_from is None else given_from
        return [
            Problem("from", f"must not be more than {MOST_DAYS} days before to or today", given)
        ]
    return []


def _read(field: str, given: str | None, problems: list[Problem], *, end: bool) -> datetime | None:
    if given is None:
        return None
    try:
        if len(given) == len("2026-11-23"):
            day = datetime.combine(date.fromisoformat(given), time(), UTC)
            return day + _DAY if end else day
        moment = datetime.fromisoformat(given)
        # What has no zone is taken as UTC, as all that the API writes.
        moment = in_utc(moment).astimezone(UTC)
    except (ValueError, OverflowError):
        problems.append(Problem(field, "must be a day (YYYY-MM-DD) or an ISO 8601 instant", given))
        return None
    return moment + _TICK if end else moment


def _start_of(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def _end_of(now: datetime) -> datetime:
    return _start_of(now) + _DAY
