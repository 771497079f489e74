"""A run as a picture: memory by part and latency of reads over time, as SVG without a library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from traffic.verdict import Run
from traffic.watching import BUFFERS, DECODERS

_WIDTH: Final = 760
_PANEL: Final = 200
_LEFT, _RIGHT, _TOP, _GAP = 52, 170, 28, 56
# Told apart by whoever sees few colours, on white and on black.
_COLOURS: Final = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#b8860b",
    "#56b4e9",
    "#7f7f7f",
    "#8c564b",
)
_STYLE: Final = """<style>
text{font:12px system-ui,sans-serif;fill:#555}
.title{font-weight:600}
.grid{stroke:#8884;stroke-width:1}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}
</style>"""

Line = tuple[str, Sequence[tuple[float, float]]]
Height = Callable[[float], float]


def chart(run: Run) -> str:
    """Draw it."""
    parts = sorted({part for one in run.samples for part in one.memory} - {BUFFERS, DECODERS})
    memory: list[Line] = [
        (part, [(s.second, s.memory[part]) for s in run.samples if part in s.memory])
        for part in parts
    ]
    latency: list[Line] = [
        ("99th percentile", [(w.second, w.reads.p99) for w in run.windows]),
        ("median", [(w.second, w.reads.median) for w in run.windows]),
    ]
    end = max(run.samples[-1].second, 1.0)
    height = _TOP + 2 * _PANEL + _GAP + 34
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            "<title>Memory by part, and latency of reads, over the time of the run</title>",
            _STYLE,
            *_panel("Memory, MiB", memory, end, top=_TOP, logarithmic=False),
            *_panel(
                "Reads, milliseconds (each step is ten times as many)",
                latency,
                end,
                top=_TOP + _PANEL + _GAP,
                logarithmic=True,
            ),
            "</svg>\n",
        ]
    )


def _panel(
    title: str, lines: Sequence[Line], end: float, *, top: int, logarithmic: bool
) -> list[str]:
    highest = max((value for _, points in lines for _, value in points), default=1.0)
    ticks = _decades(lines, highest) if logarithmic else _steps(highest)
    height = _height(ticks, top, logarithmic=logarithmic)
    across, beside = _WIDTH - _LEFT - _RIGHT, _WIDTH - _RIGHT + 12
    drawn = [f'<text class="title" x="{_LEFT}" y="{top - 10}">{title}</text>']
    for tick in ticks:
        y = height(tick)
        drawn += [
            f'<path class="grid" d="M{_LEFT} {y:.1f}h{across}"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>',
        ]
    minutes = max(1, math.ceil(end / 60 / 6))
    for minute in range(0, int(end // 60) + 1, minutes):
        x = _LEFT + across * minute * 60 / end
        drawn.append(
            f'<text x="{x:.1f}" y="{top + _PANEL + 18}" text-anchor="middle">{minute} min</text>'
        )
    for number, (name, points) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = "L".join(f"{_LEFT + across * x / end:.1f} {height(y):.1f}" for x, y in points)
        drawn += [
            f'<path class="line" stroke="{colour}" d="M{path}"/>',
            f'<text x="{beside}" y="{top + 14 + 18 * number}" style="fill:{colour}">{name}</text>',
        ]
    return drawn


def _height(ticks: Sequence[float], top: int, *, logarithmic: bool) -> Height:
    """Give where a value stands between the lowest and the highest tick."""
    scale = math.log10 if logarithmic else float
    low, high = scale(ticks[0]), scale(ticks[-1])

    def height(value: float) -> float:
        share = (scale(max(value, ticks[0])) - low) / (high - low)
        return top + _PANEL * (1 - share)

    return height


def _steps(highest: float) -> list[float]:
    """Give four or so round steps from 0 to above the highest value."""
    rough = highest / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 2.5, 5, 10) if unit * n >= rough)
    return [step * n for n in range(math.ceil(highest / step) + 1)]


def _decades(lines: Sequence[Line], highest: float) -> list[float]:
    """Give the powers of ten around the values."""
    lowest = min((value for _, points in lines for _, value in points), default=1.0)
    first = math.floor(math.log10(max(lowest, 0.01)))
    last = max(first + 1, math.ceil(math.log10(highest)))
    return [10.0**power for power in range(first, last + 1)]
