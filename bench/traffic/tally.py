"""What the calls of a load run gave: latencies by kind, refusals that were meant, errors."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Final, Literal

import msgspec

Group = Literal["read", "write", "upload", "page", "clock", "refusal"]
_SAMPLES: Final = 40


class Latencies(msgspec.Struct, frozen=True):
    """Milliseconds of many calls."""

    count: int
    median: float
    p95: float
    p99: float
    highest: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latencies:
        """Count them; there must be one."""
        ordered = sorted(seconds)
        # There is nothing between one value and itself.
        cuts = quantiles(ordered * 2 if len(ordered) == 1 else ordered, n=100, method="inclusive")
        figures = (cuts[49], cuts[94], cuts[98], ordered[-1])
        return cls(len(ordered), *(round(1000 * one, 2) for one in figures))


class Failure(msgspec.Struct, frozen=True):
    """A call that gave something else than what was meant to come."""

    kind: str
    second: float
    said: str


class Window(msgspec.Struct, frozen=True):
    """The reads that began in one stretch of the run."""

    second: float
    reads: Latencies


@dataclass(slots=True)
class Tally:
    """Takes every call; times are seconds since the run began."""

    groups: dict[str, Group] = field(default_factory=dict)
    began: dict[str, array[float]] = field(default_factory=lambda: defaultdict(_floats))
    took: dict[str, array[float]] = field(default_factory=lambda: defaultdict(_floats))
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    # Calls that were asked to come again in a moment: the server had no connection to spare.
    put_off: int = 0
    arrivals: int = 0
    # The most arrivals that were under way at once; open-loop traffic piles up where it is slow.
    most_under_way: int = 0

    def take(self, group: Group, kind: str, began: float, seconds: float) -> None:
        """Take a call that gave what it should."""
        self.groups[kind] = group
        self.began[kind].append(began)
        self.took[kind].append(seconds)

    def fail(self, kind: str, began: float, said: str) -> None:
        """Take one that did not; some are kept as samples."""
        self.failed[kind] += 1
        if len(self.failures) < _SAMPLES:
            self.failures.append(Failure(kind, round(began, 1), said[:400]))

    def by_kind(self) -> dict[str, Latencies]:
        """Give the latencies of every kind, the most frequent first."""
        kinds = sorted(self.took, key=lambda kind: -len(self.took[kind]))
        return {kind: Latencies.of(self.took[kind]) for kind in kinds}

    def of_group(self, group: Group) -> list[tuple[float, float]]:
        """Give when each call of a group began, and how long it took."""
        return [
            pair
            for kind, own in self.groups.items()
            if own == group
            for pair in zip(self.began[kind], self.took[kind], strict=True)
        ]

    def windows(self, length: float) -> list[Window]:
        """Give the reads by stretches of so many seconds."""
        stretches: dict[int, list[float]] = defaultdict(list)
        for began, took in self.of_group("read"):
            stretches[int(began // length)].append(took)
        return [Window(n * length, Latencies.of(stretches[n])) for n in sorted(stretches)]


def _floats() -> array[float]:
    return array("f")
