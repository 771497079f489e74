"""How long one API process takes to answer, and what API and worker need while idle.

1. An embedded PostgreSQL with its default settings, migrated, in a home of its own. Neither its
   start nor its memory counts.
2. Cold start: from the spawn of an API process to the first 200 of ``/healthz``, five times in
   processes of their own; the median counts (limit 2 s). Files are in the page cache by then.
3. Memory: ``serve --with-worker`` on that database, one call answered, and then the proportional
   set size (a shared page counts in parts) of the command, of the API and of the worker that it
   keeps, and of all their children, ten seconds later (limit 300 MiB).

``python bench/start.py``.
"""

from __future__ import annotations

import sys
import time
from statistics import median

import psutil
from harness.installation import PROGRAM
from harness.memory import family_mib, memory_of
from harness.report import Report, Spread, reporting
from harness.stage import child, free_port, postgres, running, until_answered

LIMIT_SECONDS = 2.0
LIMIT_MIB = 300
STARTS = 5
IDLE_SECONDS = 10.0
PATIENCE_SECONDS = 30.0


def cold_start(env: dict[str, str]) -> float:
    """Give the seconds from the spawn of an API process to its first answer."""
    port = free_port()
    began = time.perf_counter()
    with running(child("api"), env | {"TOKPORTAL_PORT": str(port)}) as process:
        until_answered(port, "/healthz", process, PATIENCE_SECONDS)
        return time.perf_counter() - began


def idle_memory(env: dict[str, str]) -> dict[str, float]:
    """Give the MiB of each part, its children included."""
    port = free_port()
    serve = [*PROGRAM, "serve", "--with-worker"]
    with running(serve, env | {"TOKPORTAL_PORT": str(port)}) as process:
        until_answered(port, "/healthz", process, PATIENCE_SECONDS)
        time.sleep(IDLE_SECONDS)
        command = psutil.Process(process.pid)
        kept = {_kind(part): family_mib(part) for part in command.children()}
        return {"supervisor": memory_of(command.pid).proportional, **kept}


def _kind(part: psutil.Process) -> str:
    """Give what kind of process the supervisor has started there."""
    return next(word for word in part.cmdline() if word in ("api", "worker"))


def measure(report: Report, env: dict[str, str]) -> None:
    """Measure both."""
    starts = [cold_start(env) for _ in range(STARTS)]
    report.add(
        "cold start of one API process, spawn to first answer",
        median(starts),
        "s",
        spread=Spread.of(starts),
        at_most=LIMIT_SECONDS,
    )
    parts = idle_memory(env)
    report.add(
        "supervisor, API and worker, idle, proportional set size",
        sum(parts.values()),
        "MiB",
        at_most=LIMIT_MIB,
        note=", ".join(f"{kind} {mib:.0f}" for kind, mib in parts.items()),
    )


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn):
        env = {"TOKPORTAL_HOME": str(home), "TOKPORTAL_DATABASE_URL": dsn}
        measure(report, env)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
