"""Ours against a static mock of the same OpenAPI: what a developer would otherwise test against.

1. ``@stoplight/prism-cli`` serves ``contract/openapi.json``: one process of Node that answers with
   examples. Ours is one API process with the embedded PostgreSQL.
2. Four calls with the same client, in pairs, with one connection and with eight.
3. From the spawn to the first answer, five times each; ours is ``serve --with-worker`` on a home
   that is there: PostgreSQL, API and worker.
4. The proportional set size of all of it afterwards, ours with PostgreSQL and worker.

There is no limit: the mock keeps nothing, so that it does less. It knows no order, state, credit,
clock, event or webhook, takes any key, and answers every id with the same example; its list has one
bundle where ours has 25. It is in ``build/peers/node``; ``make peers`` puts it there. ``python
bench/mock.py``.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import psutil
import uvloop
from harness.installation import Installation, installed
from harness.load import Side, asking, compare, request
from harness.memory import family_mib, memory_of
from harness.report import ROOT, Report, Spread, reporting
from harness.stage import (
    BODY,
    api,
    free_port,
    postgres,
    running,
    settle_in_with_bundles,
    until_answered,
)

CLIENTS: Final = (1, 8)
ROWS: Final = 25
# The mock gives some dozens of answers a second, so that a stretch must be long.
PAIRS, SECONDS = 5, 2.0
STARTS: Final = 5
IDLE_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 60.0
FOLDER: Final = ROOT / "build" / "peers" / "node" / "node_modules"
PRISM: Final = FOLDER / ".bin" / "prism"


@contextmanager
def mock() -> Iterator[tuple[int, psutil.Process]]:
    """Run the mock, answering; give its port and process."""
    port = free_port()
    document = str(ROOT / "contract" / "openapi.json")
    options = ("--host", "127.0.0.1", "--port", str(port), "--verboseLevel", "silent")
    with running([str(PRISM), "mock", *options, document], {}) as process:
        until_answered(port, "/me", process, PATIENCE_SECONDS, key="sk_mock")
        yield port, psutil.Process(process.pid)


async def _speed(report: Report, ours: tuple[int, psutil.Process], *, key: str, one: str) -> None:
    calls: dict[str, tuple[str, bytes | None]] = {
        "GET /me": ("/me", None),
        "GET /bundles/{id}": (f"/bundles/{one}", None),
        "GET /bundles": ("/bundles", None),
        "POST /bundles, a dry run": ("/bundles", BODY),
    }
    with mock() as theirs:
        for clients in CLIENTS:
            for name, (path, body) in calls.items():
                sides: list[Side] = []
                for (port, process), base in ((ours, "/api/ext"), (theirs, "")):
                    text = request(path, key, body, base=base, dry=body is not None)
                    sides.append(asking(port, process, [text] * clients, SECONDS))
                what = f"{name}, {clients} client(s)"
                await compare(report, what, *sides, against="the mock", pairs=PAIRS)


def _start_of_mock() -> float:
    began = time.perf_counter()
    with mock():
        return time.perf_counter() - began


def _start_of_ours(installation: Installation) -> float:
    began = time.perf_counter()
    with installation.serve("--with-worker"):
        return time.perf_counter() - began


def _starts_and_memory(report: Report) -> None:
    theirs = [_start_of_mock() for _ in range(STARTS)]
    with mock() as (_, process):
        time.sleep(IDLE_SECONDS)
        their_mib = family_mib(process)
    with installed(TOKPORTAL_LOG_LEVEL="warning") as installation:
        first = _start_of_ours(installation)
        ours = [_start_of_ours(installation) for _ in range(STARTS)]
        with installation.serve("--with-worker"):
            time.sleep(IDLE_SECONDS)
            our_mib = sum(memory_of(pid).proportional for pid in installation.processes())
    report.add(
        "start of everything, spawn to ready",
        median(ours),
        "s",
        ratio=median(ours) / median(theirs),
        versus="the mock",
        note=f"the mock: {Spread.of(theirs).middle:.2f} s; ours the first time, with a new"
        f" database: {first:.2f} s",
    )
    report.add(
        "memory of everything, idle",
        our_mib,
        "MiB",
        ratio=our_mib / their_mib,
        versus="the mock",
        note=f"the mock: {their_mib:.0f} MiB; ours with PostgreSQL and worker",
    )


def main() -> int:
    """Measure; there is no limit to break."""
    with reporting(__file__, __doc__) as report:
        why = why_not()
        if why:
            report.skip("against the static mock", why)
            return report.exit_code
        package = msgspec.json.decode((FOLDER / "@stoplight/prism-cli/package.json").read_bytes())
        report.results.versions["@stoplight/prism-cli"] = package["version"]
        with postgres() as (home, dsn):
            tenant, one = uvloop.run(settle_in_with_bundles(dsn, "developer", ROWS))
            with api(home, dsn) as ours:
                uvloop.run(_speed(report, ours, key=tenant.key, one=str(one)))
        _starts_and_memory(report)
    return report.exit_code


def why_not() -> str:
    """Say why the mock cannot run; "" if it can."""
    if shutil.which("node") is None:
        return "there is no Node on this machine"
    if not Path(PRISM).exists():
        return f"make peers has not put it into {FOLDER.parent.relative_to(ROOT)}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
