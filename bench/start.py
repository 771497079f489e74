"""How long one API process takes to answer, and what API and worker need while idle.

1. An embedded PostgreSQL with its default settings, migrated, in a home of its own. Neither its
   start nor its memory counts.
2. Cold start: from the spawn of an API process to the first 200 of ``/healthz``, five times in
   processes of their own; the median counts (limit 2 s). Files are in the page cache by then.
3. Memory: API and worker started as ``serve --with-worker`` does, one call answered, and then the
   proportional set size (a shared page counts in parts) of both and all their children, ten
   seconds later (limit 300 MiB).

``python bench/start.py``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from statistics import median

import psutil
from harness.memory import family_mib
from harness.report import Report, Spread, reporting
from harness.stage import free_port, postgres

LIMIT_SECONDS = 2.0
LIMIT_MIB = 300
STARTS = 5
IDLE_SECONDS = 10.0
PATIENCE_SECONDS = 30.0


@contextmanager
def child(kind: str, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of the processes that the supervisor keeps, until the block ends."""
    argv = [
        *(sys.executable, "-m", "tokportal_server.entry.child", kind),
        *("--parent", str(os.getpid())),
    ]
    with subprocess.Popen(argv, env=os.environ | env, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own program
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_SECONDS)


def until_healthy(port: int, process: subprocess.Popen[bytes]) -> None:
    """Ask ``/healthz`` until it answers 200."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.005)
        finally:
            connection.close()
    raise RuntimeError("the API does not answer; run its command by hand to see why")


def cold_start(env: dict[str, str]) -> float:
    """Give the seconds from the spawn of an API process to its first answer."""
    port = free_port()
    began = time.perf_counter()
    with child("api", env | {"TOKPORTAL_PORT": str(port)}) as process:
        until_healthy(port, process)
        return time.perf_counter() - began


def idle_memory(env: dict[str, str]) -> dict[str, float]:
    """Give the MiB of each part, its children included."""
    port = free_port()
    with ExitStack() as stack:
        parts = {
            kind: stack.enter_context(child(kind, env | {"TOKPORTAL_PORT": str(port)}))
            for kind in ("api", "worker")
        }
        until_healthy(port, parts["api"])
        time.sleep(IDLE_SECONDS)
        return {kind: family_mib(psutil.Process(process.pid)) for kind, process in parts.items()}


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
        "API and worker, idle, proportional set size",
        sum(parts.values()),
        "MiB",
        at_most=LIMIT_MIB,
        note=f"API {parts['api']:.0f}, worker {parts['worker']:.0f}",
    )


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn):
        env = {"TOKPORTAL_HOME": str(home), "TOKPORTAL_DATABASE_URL": dsn}
        measure(report, env)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
