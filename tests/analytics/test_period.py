from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tokportal_server.analytics.period import MOST_DAYS, read_period
from tokportal_server.http.errors import ValidationError

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def test_without_anything_it_is_the_last_thirty_days_with_today() -> None:
    period = read_period(None, None, now=NOW)
    assert (period.first_day, period.last_day, period.days) == (
        date(2026, 10, 25),
        date(2026, 11, 23),
        30,
    )


def test_days_are_inclusive() -> None:
    period = read_period("2026-11-01", "2026-11-01", now=NOW)
    assert period.since == datetime(2026, 11, 1, tzinfo=UTC)
    assert period.until == datetime(2026, 11, 2, tzinfo=UTC)


def test_instants_are_inclusive_and_read_in_their_zone() -> None:
    period = read_period("2026-11-01T02:00:00+02:00", "2026-11-01T12:00:00Z", now=NOW)
    assert period.since == datetime(2026, 11, 1, tzinfo=UTC)
    assert period.until == datetime(2026, 11, 1, 12, 0, 0, 1000, tzinfo=UTC)


def test_the_time_before_is_as_long() -> None:
    before = read_period("2026-11-11", "2026-11-20", now=NOW).before
    assert (before.first_day, before.last_day) == (date(2026, 11, 1), date(2026, 11, 10))


@pytest.mark.parametrize(
    ("given_from", "given_to", "fields"),
    [
        ("2026-11-02", "2026-11-01", ["from"]),
        ("2026-12-01", None, ["from"]),
        ("yesterday", "2026-13-01", ["to", "from"]),
        ("2026-11-1", None, ["from"]),
        ("0001-01-01", None, ["from"]),
        (None, "9999-12-31", ["to"]),
    ],
)
def test_refuses_what_is_no_period(
    given_from: str | None, given_to: str | None, fields: list[str]
) -> None:
    with pytest.raises(ValidationError) as refused:
        read_period(given_from, given_to, now=NOW)
    assert [one["field"] for one in refused.value.details["errors"]] == fields


def test_the_longest_period_passes_and_one_day_more_does_not() -> None:
    first = NOW.date() - timedelta(MOST_DAYS - 1)
    assert read_period(first.isoformat(), None, now=NOW).days == MOST_DAYS
    with pytest.raises(ValidationError):
        read_period((first - timedelta(1)).isoformat(), None, now=NOW)
