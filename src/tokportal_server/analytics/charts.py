"""Charts as vector pictures, each with a table of its numbers.

The plot is stretched to the width that there is, while its axes are text of the page: so it stays
readable on a phone and in print. Nothing here is an inline style or a script, so that a page may
forbid both; colours come from ``assets/charts.css``. What people wrote is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from markupsafe import Markup

from tokportal_server.analytics.numbers import full, short

# The plot's own units; a stroke keeps its width whatever they become.
_WIDTH: Final = 1000.0
_HEIGHT: Final = 300.0
_MOST_TICKS: Final = 4
_MOST_LABELS: Final = 4


@dataclass(frozen=True, slots=True)
class Point:
    """A value on a day; None where there is none."""

    on: date
    value: int | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with a name, for ranked bars; ``note`` stands beside it, smaller."""

    name: str
    value: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    """What the vertical axis spans, and where its marks are, from the lowest up."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def y(self, value: float) -> float:
        return _HEIGHT - (value - self.low) / (self.high - self.low) * _HEIGHT


def line_chart(points: Sequence[Point], *, name: str, numbers: str = "Numbers") -> Markup:
    """Draw a course over days: a line with the area below it, broken where values are missing.

    ``name`` says what is shown; ``numbers`` is the caption of the table below.
    """
    scale = _scale([p.value for p in points if p.value is not None], from_zero=False)
    lines = "".join(
        "M" + "L".join(f"{x:.1f} {scale.y(value):.1f}" for x, value in run) for run in _runs(points)
    )
    areas = "".join(
        f"M{run[0][0]:.1f} {_HEIGHT}L"
        + "L".join(f"{x:.1f} {scale.y(value):.1f}" for x, value in run)
        + f"L{run[-1][0]:.1f} {_HEIGHT}Z"
        for run in _runs(points)
    )
    shapes = Markup('<path class="chart-area" d="{}"/><path class="chart-line" d="{}"/>').format(
        areas, lines
    )
    return _figure(points, scale, shapes, name=name, numbers=numbers, kind="line")


def bar_chart(points: Sequence[Point], *, name: str, numbers: str = "Numbers") -> Markup:
    """Draw one bar a day or week, from zero up."""
    scale = _scale([p.value for p in points if p.value is not None], from_zero=True)
    step = _WIDTH / max(1, len(points))
    bars = "".join(
        f'<rect class="chart-bar" x="{at * step + step * 0.12:.1f}" y="{scale.y(p.value):.1f}"'
        f' width="{step * 0.76:.1f}" height="{_HEIGHT - scale.y(p.value):.1f}"/>'
        for at, p in enumerate(points)
        if p.value
    )
    shapes = Markup(bars)  # noqa: S704 - numbers only
    return _figure(points, scale, shapes, name=name, numbers=numbers, kind="bars")


def sparkline(points: Sequence[Point], *, name: str) -> Markup:
    """Draw a course without axes, to stand beside a number that says the same."""
    scale = _scale([p.value for p in points if p.value is not None], from_zero=False)
    lines = "".join(
        "M" + "L".join(f"{x:.1f} {scale.y(value):.1f}" for x, value in run) for run in _runs(points)
    )
    return Markup(
        '<svg class="spark" viewBox="0 -12 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><path class="chart-line" d="{}"/></svg>'
    ).format(_WIDTH, _HEIGHT + 24, name, lines)


def ranked_bars(bars: Sequence[Bar], *, name: str) -> Markup:
    """Draw values of named things below each other; the text beside each bar has its number."""
    most = max((bar.value for bar in bars), default=0) or 1
    rows = Markup("").join(
        Markup(
            '<li><span class="ranked-name"><bdi>{}</bdi>{}</span>'
            '<span class="ranked-value">{}</span><svg class="ranked-bar" aria-hidden="true">'
            '<rect class="chart-rest" width="100%" height="100%" rx="3"/>'
            '<rect class="chart-bar" width="{:.2f}%" height="100%" rx="3"/></svg></li>'
        ).format(
            bar.name,
            Markup(" <small>{}</small>").format(bar.note) if bar.note else "",
            short(bar.value),
            100 * max(0, bar.value) / most,
        )
        for bar in bars
    )
    return Markup('<ol class="ranked" aria-label="{}">{}</ol>').format(name, rows)


def _figure(
    points: Sequence[Point],
    scale: _Scale,
    shapes: Markup,
    *,
    name: str,
    numbers: str,
    kind: str,
) -> Markup:
    grid = "".join(
        f'<path class="chart-grid" d="M0 {scale.y(tick):.1f}H{_WIDTH:.0f}"/>'
        for tick in scale.ticks
    )
    axis = Markup("").join(
        Markup("<span>{}</span>").format(short(tick)) for tick in reversed(scale.ticks)
    )
    days = Markup("").join(
        Markup("<span>{}</span>").format(_short_day(p.on)) for p in _labelled(points)
    )
    return Markup(
        '<figure class="chart" data-chart="{}"><figcaption class="chart-name">{}</figcaption>'
        '<div class="chart-plot"><div class="chart-axis" aria-hidden="true">{}</div>'
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg>'
        '<div class="chart-days" aria-hidden="true">{}</div></div>{}</figure>'
    ).format(
        kind,
        name,
        axis,
        f"{_WIDTH:.0f}",
        f"{_HEIGHT:.0f}",
        f"{name}. {_in_words(points)}",
        Markup(grid),  # noqa: S704 - numbers only
        shapes,
        days,
        _table(points, name=name, numbers=numbers),
    )


def _table(points: Sequence[Point], *, name: str, numbers: str) -> Markup:
    rows = Markup("").join(
        Markup('<tr><th scope="row"><time datetime="{}">{}</time></th><td>{}</td></tr>').format(
            p.on.isoformat(), _day(p.on), full(p.value)
        )
        for p in points
    )
    return Markup(
        '<details class="chart-numbers"><summary>{}</summary><table><caption class="unseen">{}'
        "</caption><tbody>{}</tbody></table></details>"
    ).format(numbers, name, rows)


def _in_words(points: Sequence[Point]) -> str:
    known = [p for p in points if p.value is not None]
    if not known:
        return "No values yet."
    first, last = known[0], known[-1]
    top = max(known, key=lambda p: p.value or 0)
    return (
        f"{_day(first.on)}: {full(first.value)}; {_day(last.on)}: {full(last.value)};"
        f" highest {full(top.value)} on {_day(top.on)}."
    )


def _runs(points: Sequence[Point]) -> list[list[tuple[float, int]]]:
    """Give the stretches without a gap, as places across and values; one day is a short line."""
    step = _WIDTH / max(1, len(points) - 1)
    runs: list[list[tuple[float, int]]] = [[]]
    for at, point in enumerate(points):
        if point.value is None:
            runs.append([])
        else:
            runs[-1].append((at * step, point.value))
    return [
        run if len(run) > 1 else [(max(0, run[0][0] - 3), run[0][1]), (run[0][0] + 3, run[0][1])]
        for run in runs
        if run
    ]


def _scale(values: Sequence[int], *, from_zero: bool) -> _Scale:
    """Give an axis with round marks; a course far from zero does not begin there."""
    low, high = (min(values), max(values)) if values else (0, 0)
    if from_zero or low < high / 2 or low == high:
        low = 0
    step = _round_step((high - low) / _MOST_TICKS or 1)
    bottom = math.floor(low / step) * step
    top = max(bottom + step, math.ceil(high / step) * step)
    count = round((top - bottom) / step)
    return _Scale(bottom, top, tuple(bottom + step * at for at in range(count + 1)))


def _round_step(least: float) -> float:
    """Give the next of 1, 2, 2.5, 5 times a power of ten that is whole, as counts are."""
    power = 10.0 ** math.floor(math.log10(max(least, 1)))
    return next(
        factor * power
        for factor in (1, 2, 2.5, 5, 10)
        if factor * power >= least and (factor * power).is_integer()
    )


def _labelled(points: Sequence[Point]) -> list[Point]:
    if len(points) <= _MOST_LABELS:
        return list(points)
    step = (len(points) - 1) / (_MOST_LABELS - 1)
    return [points[round(at * step)] for at in range(_MOST_LABELS)]


def _short_day(on: date) -> str:
    return f"{on.day} {on:%b}"


def _day(on: date) -> str:
    return f"{on.day} {on:%b %Y}"
