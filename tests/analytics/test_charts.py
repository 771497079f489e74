from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from tokportal_server.analytics.charts import Bar, Point, bar_chart, line_chart, ranked_bars
from tokportal_server.analytics.numbers import percent, short, signed

FIRST = date(2026, 11, 1)


def points(*values: int | None) -> list[Point]:
    return [Point(FIRST + timedelta(at), value) for at, value in enumerate(values)]


def test_a_line_breaks_where_a_value_is_missing() -> None:
    drawn = line_chart(points(1, 2, None, 3, 4), name="Views")
    (line,) = re.findall(r'class="chart-line" d="([^"]*)"', drawn)
    assert line.count("M") == 2


def test_a_single_value_is_seen() -> None:
    (line,) = re.findall(r'class="chart-line" d="([^"]*)"', line_chart(points(7), name="Views"))
    assert re.fullmatch(r"M[\d.]+ [\d.]+L[\d.]+ [\d.]+", line)


def test_no_values_are_an_empty_chart_and_not_zeros() -> None:
    drawn = line_chart(points(None, None), name="Views")
    assert "No values yet." in drawn
    assert "<td>0</td>" not in drawn
    assert "chart-bar" not in bar_chart([], name="Views")


def test_a_chart_says_its_numbers_in_words_and_in_a_table() -> None:
    drawn = bar_chart(points(5, 12_345, None), name="Views gained per day")
    assert 'aria-label="Views gained per day. 1 Nov 2026: 5; 2 Nov 2026: 12,345;' in drawn
    assert "highest 12,345 on 2 Nov 2026" in drawn
    assert re.findall(r"<td>([^<]*)</td>", drawn) == ["5", "12,345", "–"]  # noqa: RUF001


def test_what_people_wrote_is_text() -> None:
    hostile = '<script>alert(1)</script>"onload="x'
    for drawn in (
        line_chart(points(1, 2), name=hostile),
        ranked_bars([Bar(hostile, 3, hostile)], name=hostile),
    ):
        assert "<script" not in drawn
        assert '"onload' not in drawn


def test_charts_need_no_inline_style_and_no_script() -> None:
    drawn = line_chart(points(1, 2), name="x") + ranked_bars([Bar("a", 1)], name="x")
    assert "style=" not in drawn
    assert "<script" not in drawn


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0, 7), ["8", "6", "4", "2", "0"]),
        ((0, 1), ["1", "0"]),
        ((2_000_000, 2_630_000), ["2.8M", "2.6M", "2.4M", "2.2M", "2M"]),
        ((0, 0), ["1", "0"]),
        ((5, 5), ["6", "4", "2", "0"]),
    ],
)
def test_an_axis_has_round_marks(values: tuple[int, int], labels: list[str]) -> None:
    drawn = line_chart(points(*values), name="x")
    (axis,) = re.findall(r'class="chart-axis"[^>]*>(.*?)</div>', drawn)
    assert re.findall(r"<span>([^<]*)</span>", axis) == labels


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10K"),
        (12_345, "12.3K"),
        (999_999, "1M"),
        (1_234_567, "1.23M"),
        (2_000_000_000, "2B"),
        (None, "–"),  # noqa: RUF001
    ],
)
def test_short_numbers_have_three_digits(value: int | None, written: str) -> None:
    assert short(value) == written


def test_changes_have_a_sign_and_shares_a_percent() -> None:
    assert (signed(5), signed(0), signed(-12_345)) == ("+5", "0", "\u221212.3K")
    assert (percent(6.4), percent(5.0), percent(None)) == ("6.4 %", "5 %", "–")  # noqa: RUF001
