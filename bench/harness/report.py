"""How a script of ``bench/`` reports: a line on the screen, and ``build/bench/SCRIPT.json``.

``tools/bench_page.py`` makes the page of all of them. A run with arguments is a part, or a quick
one; it is written beside, to ``SCRIPT.partial.json``, and stands on no page.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Final, Self

import msgspec
import psutil

from tokportal_server.lib.embedded import binaries

ROOT: Final = Path(__file__).resolve().parents[2]
QUICK: Final = "--quick" in sys.argv
RESULTS: Final = ROOT / "build" / "bench"
# What a measurement may depend on, beside Python and PostgreSQL.
_PACKAGES: Final = ("granian", "litestar", "msgspec", "asyncpg", "uvloop", "aiohttp", "duckdb")


class Spread(msgspec.Struct, frozen=True):
    """The middle half of what several rounds gave, around their median."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Give the quartiles; of few values, the nearest ones."""
        ordered = sorted(values)
        quarter = len(ordered) // 4
        return cls(ordered[quarter], median(ordered), ordered[-1 - quarter])


class Measure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was measured.

    ``value`` is in ``unit``; ``ratio`` is that to the same thing of the peer ``versus``, and
    ``spread`` the middle half of the ratio, or of the value if there is no ratio. ``kept`` is None
    where there is no ``limit``.
    """

    name: str
    value: float
    unit: str
    ratio: float | None = None
    versus: str = ""
    spread: tuple[float, float] | None = None
    limit: str = ""
    kept: bool | None = None
    note: str = ""


class NotRun(msgspec.Struct, frozen=True):
    """What could not be measured, and why."""

    name: str
    reason: str


class Results(msgspec.Struct, kw_only=True):
    """What one run of one script gave, and where."""

    script: str
    title: str
    measured_at: datetime
    commit: str
    # The load average of the minute before; more than a little means that something else ran.
    load: float
    seconds: float = 0.0
    machine: dict[str, str]
    versions: dict[str, str]
    measures: list[Measure] = msgspec.field(default_factory=list)
    not_run: list[NotRun] = msgspec.field(default_factory=list)


class Report:
    """Takes the measures of a script; ``kept`` says whether no limit was broken so far."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.kept = True

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        ratio: float | None = None,
        versus: str = "",
        spread: Spread | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
        kept: bool | None = None,
        note: str = "",
    ) -> None:
        """Take a measure; its limit is one of the ratio, or of the value if there is no ratio.

        ``kept`` overrules the comparison where a limit is about more than that.
        """
        judged = value if ratio is None else ratio
        limit = ""
        if at_least is not None:
            limit, within = f"at least {at_least:g}", judged >= at_least
        elif at_most is not None:
            limit, within = f"at most {at_most:g}", judged <= at_most
        if limit:
            kept = within if kept is None else kept
            self.kept = self.kept and kept
        measure = Measure(
            name=name,
            value=value,
            unit=unit,
            ratio=ratio,
            versus=versus,
            spread=(spread.low, spread.high) if spread else None,
            limit=limit if ratio is not None or not limit else f"{limit} {unit}",
            kept=kept if limit else None,
            note=note,
        )
        self.results.measures.append(measure)
        print(line_of(measure), flush=True)

    def skip(self, name: str, reason: str) -> None:
        """Say that something was not measured."""
        self.results.not_run.append(NotRun(name, reason))
        print(f"{name}: not run: {reason}", flush=True)

    @property
    def exit_code(self) -> int:
        """Give what the script ends with: 1 if a limit was broken."""
        return 0 if self.kept else 1


def line_of(measure: Measure) -> str:
    """Write a measure as a line for the screen."""
    middle = ""
    if measure.spread is not None:
        low, high = measure.spread
        middle = f" (middle half {figure(low)} to {figure(high)})"
    said = f"{figure(measure.value)} {measure.unit}".rstrip()
    if measure.ratio is not None:
        said = f"{figure(measure.ratio)} of {measure.versus}{middle}; {said}"
    else:
        said += middle
    if measure.limit:
        said += f"; {measure.limit}: {'kept' if measure.kept else 'BROKEN'}"
    return f"{measure.name}: {said}" + (f"; {measure.note}" if measure.note else "")


def figure(value: float) -> str:
    """Write a number with three digits that count, and no more."""
    if value and abs(value) < 0.01:
        return f"{value:.4f}"
    if abs(value) < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


@contextmanager
def reporting(script: str, about: str | None) -> Iterator[Report]:
    """Give the report of a script, from its path and docstring; write it if the block ends well."""
    name = Path(script).stem
    began = time.perf_counter()
    report = Report(
        Results(
            script=name,
            title=(about or name).partition("\n")[0].rstrip("."),
            measured_at=datetime.now(UTC).replace(microsecond=0),
            commit=commit(),
            load=os.getloadavg()[0],
            machine=machine(),
            versions=versions(),
        )
    )
    yield report
    report.results.seconds = round(time.perf_counter() - began, 1)
    RESULTS.mkdir(parents=True, exist_ok=True)
    target = RESULTS / (f"{name}.partial.json" if sys.argv[1:] else f"{name}.json")
    target.write_bytes(msgspec.json.format(msgspec.json.encode(report.results), indent=1) + b"\n")
    if any(measure.limit for measure in report.results.measures):
        print(f"{name}: limits {'kept' if report.kept else 'BROKEN'}", flush=True)


def machine() -> dict[str, str]:
    """Say what this machine is."""
    cores = len(os.sched_getaffinity(0))
    return {
        "processor": _processor(),
        "cores": str(cores),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def versions() -> dict[str, str]:
    """Say what was measured with what."""
    postgres = _said_by(str(binaries.locate(18).program("postgres")), "--version")
    found = {"python": platform.python_version(), "postgresql": postgres.rpartition(" ")[2]}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def commit() -> str:
    """Give the short name of the commit that is measured; "" outside of a repository."""
    return _said_by("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")


def _said_by(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    return done.stdout.strip()
