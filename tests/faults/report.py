"""What a trial did and found: as a table for people, as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.faults.blows import KINDS
from tests.faults.books import Check


@dataclass(frozen=True)
class Struck:
    """One blow that fell; seconds since the beginning, and until all was well after its end.

    ``ailment`` is what was not well to the last.
    """

    kind: str
    at: float
    lasted: float
    recovered: float | None
    ailment: str | None


@dataclass
class Report:
    """Everything about one trial; it went well if ``failures`` is empty."""

    seed: int
    seconds: float = 0.0
    left_out: list[str] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    logged: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Collect what must not be."""
        self.failures += [
            f"{check.claim}: {len(check.contradictions)} contradictions, such as"
            f" {check.contradictions[:3]}"
            for check in self.checks
            if check.contradictions
        ]
        self.failures += [
            f"after {one.kind} at {one.at:.0f} s not everything was well again: {one.ailment}"
            for one in self.struck
            if one.recovered is None
        ]

    def as_json(self) -> str:
        """Give all of it."""
        whole: dict[str, Any] = {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "left_out": self.left_out,
            "struck": [vars(one) for one in self.struck],
            "answers": dict(self.tally),
            "counts": self.counts,
            "logged": dict(self.logged),
            "checks": {check.claim: check.contradictions[:20] for check in self.checks},
            "failures": self.failures,
        }
        return json.dumps(whole, indent=1)

    def as_table(self) -> str:
        """Give what people read, in Markdown."""
        return "\n".join([*self._head(), "", *self._blows(), "", *self._claims()])

    def _head(self) -> Iterator[str]:
        calls = ", ".join(f"{n} of {what}" for what, n in self.tally.most_common())
        counts = ", ".join(f"{n} {what}" for what, n in self.counts.items())
        yield f"Seed {self.seed}: {self.seconds:.0f} s under load, {len(self.struck)} faults."
        yield f"Calls: {calls}."
        yield f"In the end: {counts}."
        if self.left_out:
            yield f"Left out, since nothing can be mounted here: {', '.join(self.left_out)}."

    def _blows(self) -> Iterator[str]:
        times: dict[str, list[float]] = defaultdict(list)
        for one in self.struck:
            times[one.kind].append(float("inf") if one.recovered is None else one.recovered)
        yield "| fault | times | well again after, median (longest) |"
        yield "|---|---|---|"
        for kind, all_of in sorted(times.items()):
            yield (
                f"| {KINDS[kind].about} | {len(all_of)} |"
                f" {median(all_of):.1f} s ({max(all_of):.1f} s) |"
            )

    def _claims(self) -> Iterator[str]:
        yield "| what must be true | |"
        yield "|---|---|"
        for check in self.checks:
            wrong = len(check.contradictions)
            yield f"| {check.claim} | {f'**{wrong} contradictions**' if wrong else 'holds'} |"
