"""The result of a load run, and what is claimed of it."""

from __future__ import annotations

from datetime import datetime
from statistics import median
from typing import Final

import msgspec
from harness.report import figure

from traffic.settling import Settled
from traffic.tally import Failure, Latencies, Window
from traffic.watching import BUFFERS, DECODERS, Sample

GROWTH_LIMIT: Final = 0.10
TAIL_LIMIT: Final = 20.0
# Memory is compared from here on: before, caches fill.
_SETTLED_SECONDS: Final = 300.0
_STRETCH_SECONDS: Final = 60.0


class Claim(msgspec.Struct, frozen=True):
    """Something that must be true; ``timed`` ones say nothing on a machine that does other work."""

    name: str
    said: str
    kept: bool
    timed: bool = False


class Growth(msgspec.Struct, frozen=True):
    """A part's MiB in the sixth minute, in the last one, and at most."""

    part: str
    early: float
    late: float
    highest: float

    @property
    def ratio(self) -> float:
        """How much of the early value the late one is."""
        return self.late / self.early


class Run(msgspec.Struct, kw_only=True):
    """All that a run gave; times are seconds since it began."""

    measured_at: datetime
    commit: str
    machine: dict[str, str]
    versions: dict[str, str]
    seconds: float
    rate: float
    arrivals: int
    most_under_way: int
    busy: float
    used: float
    window: float
    reads: Latencies
    kinds: dict[str, Latencies]
    groups: dict[str, str]
    refused: dict[str, int]
    failed: dict[str, int]
    put_off: int
    failures: list[Failure]
    windows: list[Window]
    samples: list[Sample]
    restarted: list[str]
    settled: Settled
    doctor: str
    growth: list[Growth] = msgspec.field(default_factory=list)
    claims: list[Claim] = msgspec.field(default_factory=list)


def grown(samples: list[Sample]) -> list[Growth]:
    """Compare the memory of lasting parts, if the run was long enough for that."""
    end = samples[-1].second
    if end < _SETTLED_SECONDS + 2 * _STRETCH_SECONDS:
        return []
    early = [one for one in samples if 0 <= one.second - _SETTLED_SECONDS < _STRETCH_SECONDS]
    late = [one for one in samples if end - one.second < _STRETCH_SECONDS]
    return [
        Growth(
            part,
            round(median(one.memory[part] for one in early if part in one.memory), 1),
            round(median(one.memory[part] for one in late if part in one.memory), 1),
            round(max(one.memory.get(part, 0.0) for one in samples), 1),
        )
        for part in sorted({part for one in samples for part in one.memory} - {DECODERS})
        if any(part in one.memory for one in early) and any(part in one.memory for one in late)
    ]


def claims(run: Run) -> list[Claim]:
    """Judge a run."""
    settled, failed = run.settled, sum(run.failed.values())
    calls = sum(one.count for one in run.kinds.values())
    waiting = ", ".join(f"{n} {name}" for name, n in settled.waiting.items() if n)
    tail = run.reads.p99 / run.reads.median
    return [
        Claim(
            "no error but the intended ones",
            f"{failed} of {calls + failed:,} calls; {sum(run.refused.values()):,} were refused as"
            " intended",
            failed == 0,
        ),
        Claim(
            "no error in the logs, no process lost",
            "; ".join([*settled.complaints[:3], *run.restarted]) or "none",
            not settled.complaints and not run.restarted,
        ),
        Claim(
            "everything under way comes to its end",
            f"waiting: {waiting or 'nothing'}; {settled.held_jobs} jobs held,"
            f" {settled.failed_deliveries} deliveries failed",
            not waiting and not settled.held_jobs and not settled.failed_deliveries,
        ),
        Claim(
            "every event arrives, with a good signature",
            f"{settled.received:,} received, {settled.lost} lost, {settled.refused} refused,"
            f" {settled.again} came again",
            settled.lost == 0 and settled.refused == 0,
        ),
        Claim("doctor is clean", run.doctor, run.doctor == "clean"),
        Claim(
            "no call is put off for want of a connection",
            f"{run.put_off} answers were a 503 that asks to come again",
            run.put_off == 0,
            timed=True,
        ),
        Claim(
            f"reads: 99th percentile at most {TAIL_LIMIT:g} times the median",
            f"{tail:.1f} times: {figure(run.reads.p99)} ms and {figure(run.reads.median)} ms",
            tail <= TAIL_LIMIT,
            timed=True,
        ),
        *_growth_claims(run.growth),
    ]


def _growth_claims(growth: list[Growth]) -> list[Claim]:
    """Judge memory; PostgreSQL's buffers are of a fixed size, and fill up to it."""
    judged = [one for one in growth if one.part != BUFFERS]
    if not judged:
        return []
    worst = max(judged, key=lambda one: one.ratio)
    return [
        Claim(
            f"memory: no part grows by more than {GROWTH_LIMIT:.0%} from minute 5 to the end",
            f"{worst.part} most, from {figure(worst.early)} to {figure(worst.late)} MiB"
            f" ({worst.ratio - 1:+.1%})",
            worst.ratio <= 1 + GROWTH_LIMIT,
            timed=True,
        )
    ]
