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
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median

import psutil

from tokportal_server.lib import embedded
from tokportal_server.migrations.run import migrate

LIMIT_SECONDS = 2.0
LIMIT_MIB = 300
STARTS = 5
IDLE_SECONDS = 10.0
PATIENCE_SECONDS = 30.0
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


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


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        return {kind: _mib(psutil.Process(process.pid)) for kind, process in parts.items()}


def _mib(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(_pss_kib(member.pid) for member in family) / 1024


def _pss_kib(pid: int) -> int:
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
    assert found is not None, "the kernel gives no proportional set size"
    return int(found[1])


def measure(env: dict[str, str]) -> bool:
    """Measure and print; tell whether both limits were kept."""
    starts = sorted(cold_start(env) for _ in range(STARTS))
    print(
        f"cold start of one API process: {median(starts):.2f} s (from {starts[0]:.2f} to"
        f" {starts[-1]:.2f}); {median(starts) / LIMIT_SECONDS:.2f} of the limit {LIMIT_SECONDS:g} s"
    )
    parts = idle_memory(env)
    total = sum(parts.values())
    print(
        f"idle memory: {total:.0f} MiB (API {parts['api']:.0f}, worker {parts['worker']:.0f});"
        f" {total / LIMIT_MIB:.2f} of the limit {LIMIT_MIB} MiB"
    )
    return median(starts) <= LIMIT_SECONDS and total <= LIMIT_MIB


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    with tempfile.TemporaryDirectory(prefix="tokportal-bench-") as name:
        home = Path(name)
        # PostgreSQL may run as a user of its own, who has to pass through here.
        home.chmod(0o755)
        postgres = embedded.start(home)
        try:
            migrate(postgres.dsn())
            env = {"TOKPORTAL_HOME": name, "TOKPORTAL_DATABASE_URL": postgres.dsn()}
            kept = measure(env)
        finally:
            postgres.stop()
    print("limits kept" if kept else "limit BROKEN")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
