"""Times as they stand on the wire."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tokportal_server.lib.clock import real_now, wire_day, wire_time

_INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 11, 23, 8, 0, tzinfo=UTC), "2026-11-23T08:00:00.000Z"),
        (datetime(2026, 11, 23, 8, 0, 0, 1_999, tzinfo=UTC), "2026-11-23T08:00:00.001Z"),
        (datetime(2026, 11, 23, 2, 0, tzinfo=_INDIA), "2026-11-22T20:30:00.000Z"),
        (datetime(999, 1, 1, tzinfo=UTC), "0999-01-01T00:00:00.000Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_milliseconds(moment: datetime, written: str) -> None:
    assert wire_time(moment) == written


def test_a_day_is_written_as_year_month_day() -> None:
    assert wire_day(date(2026, 3, 4)) == "2026-03-04"


def test_nothing_stays_nothing() -> None:
    assert wire_time(None) is None
    assert wire_day(None) is None


def test_now_knows_that_it_is_in_utc() -> None:
    assert real_now().utcoffset() == timedelta()
