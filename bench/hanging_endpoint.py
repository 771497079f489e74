"""One receiver hangs with thousands of events waiting for it: how much later do others get theirs.

1. As ``deliveries.py``: an embedded PostgreSQL, a receiver in a process of its own, 49 endpoints
   that answer at once. Events are committed at a steady pace while the worker's loops run.
2. The same again beside a fiftieth endpoint that takes every body and never answers, with 10,000
   events waiting for it.

The limit is hazard 11's: a 99th percentile under a second for the 49, with the other hanging.
Run it with nothing else going on: ``python bench/hanging_endpoint.py``; ``--quick`` is shorter.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Final

import uvloop
from deliveries import Scene, p99, scene, waits_of
from harness.receiver import HANGING, receiver
from harness.report import QUICK, Report, reporting
from harness.stage import postgres

ENDPOINTS: Final = 49
WAITING: Final = 1_000 if QUICK else 10_000
# Deliveries of 49 endpoints, far below what a worker can do.
PAUSE_SECONDS: Final = 0.25
P99_LIMIT_MS: Final = 1_000
_OTHER_TYPE: Final = "report.created"
_STILL_WAITING: Final = """
SELECT count(*) FROM webhook_deliveries WHERE event_type = $1 AND status = 'pending'
"""


async def hang(stage: Scene) -> None:
    """Register the endpoint that never answers, with events waiting for it."""
    await stage.register(HANGING, _OTHER_TYPE)
    await stage.fan_out(WAITING, _OTHER_TYPE)


async def still_waiting(stage: Scene) -> int:
    """Give how many events the hanging endpoint has not got."""
    async with stage.ports.database.connection() as conn:
        return int(await conn.fetchval(_STILL_WAITING, _OTHER_TYPE))


async def measure(report: Report, home: Path, dsn: str, address: str) -> None:
    """Measure without and with."""
    async with scene(home, dsn, address, ENDPOINTS) as stage:
        alone = await waits_of(stage, PAUSE_SECONDS)
        await hang(stage)
        beside = await waits_of(stage, PAUSE_SECONDS)
        waiting = await still_waiting(stage)
    report.add(
        f"99th percentile of {ENDPOINTS} endpoints beside one that hangs with {WAITING:,} waiting",
        p99(beside),
        "ms",
        at_most=P99_LIMIT_MS,
        # The hanging one must not have been served meanwhile.
        kept=p99(beside) <= P99_LIMIT_MS and waiting > WAITING / 2,
        note=f"without it {p99(alone):.0f} ms; medians {median(beside):.0f} and"
        f" {median(alone):.0f} ms; {waiting:,} were waiting still",
    )


def main() -> int:
    """Measure; the exit code is 1 if the limit was broken."""
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn), receiver() as address:
        uvloop.run(measure(report, home, dsn, address))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
