from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokportal_server.webhooks.schedule import (
    DELAYS,
    MAX_ATTEMPTS,
    RETRY_AFTER_MAX,
    delay_after,
    random_spread,
    retry_after,
)

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
NONE = timedelta(0)


def test_has_the_delays_of_the_contract() -> None:
    hours = [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    assert [delay.total_seconds() / 3600 for delay in DELAYS] == pytest.approx(hours)
    assert MAX_ATTEMPTS == 10


@pytest.mark.hazard(12)
@pytest.mark.parametrize("attempt", range(1, 10))
def test_moves_each_delay_by_at_most_a_fifth(attempt: int) -> None:
    shortest = delay_after(attempt, retry_after=NONE, spread=-1)
    longest = delay_after(attempt, retry_after=NONE, spread=1)
    assert shortest == DELAYS[attempt - 1] * 0.8
    assert longest == DELAYS[attempt - 1] * 1.2


def test_ends_after_the_tenth_attempt() -> None:
    assert delay_after(10, retry_after=timedelta(hours=1), spread=0) is None


def test_never_undercuts_what_the_receiver_asked_for() -> None:
    assert delay_after(1, retry_after=timedelta(hours=3), spread=0) == timedelta(hours=3)
    assert delay_after(4, retry_after=timedelta(minutes=1), spread=0) == timedelta(hours=2)


def test_spreads_to_both_sides() -> None:
    spreads = [random_spread() for _ in range(1000)]
    assert -1 <= min(spreads) < 0 < max(spreads) <= 1


@pytest.mark.hazard(12)
@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", NONE),
        ("Mon, 23 Nov 2026 09:00:00 GMT", timedelta(hours=1)),
        ("Mon, 23 Nov 2026 09:00:00 -0000", timedelta(hours=1)),
        ("Mon, 23 Nov 2026 07:00:00 GMT", NONE),
        ("-5", NONE),
        ("315360000", RETRY_AFTER_MAX),
        ("Mon, 23 Nov 2036 08:00:00 GMT", RETRY_AFTER_MAX),
        ("9" * 5000, RETRY_AFTER_MAX),
        ("1.5", NONE),
        ("soon", NONE),
        ("", NONE),
        (None, NONE),
    ],
)
def test_reads_retry_after_and_clamps_it_to_a_day(header: str | None, wanted: timedelta) -> None:
    assert retry_after(header, real_now=NOW) == wanted


@given(st.text() | st.from_regex(r"\w{3}, \d\d \w{3} \d{1,5} \d\d:\d\d:\d\d [+-]\d{1,9}"))
def test_reads_no_more_than_a_day_from_any_header(header: str) -> None:
    assert NONE <= retry_after(header, real_now=NOW) <= RETRY_AFTER_MAX
