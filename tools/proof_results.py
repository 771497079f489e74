"""A pytest plugin for ``make proof``: it keeps what came of the tests of hazards.

``python -m pytest -p tools.proof_results …`` merges the outcomes of a run into ``RESULTS``: one
entry for each test function and kind (short or long), so that a run of a part changes that part.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import pytest

from tools.hazards import ROOT

RESULTS: Final = ROOT / "tests" / "hazards" / "results.json"
_WORST_LAST: Final = ("skipped", "passed", "failed")


@dataclass(slots=True)
class Result:
    """What came of the cases of one kind: the worst outcome, and the seconds of all together."""

    outcome: str
    cases: int
    seconds: float
    date: str
    seed: int


def read_results() -> dict[str, Result]:
    """Give what is kept, by ``<file>::<test>[<kind>]``."""
    if not RESULTS.is_file():
        return {}
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {key: Result(**value) for key, value in kept.items()}


def key_of(path: str, name: str, kind: str) -> str:
    """Give the name that a result is kept under."""
    return f"{path}::{name}[{kind}]"


class Keeper:
    """Adds up the reports of one run."""

    def __init__(self) -> None:
        self._seed = int(os.environ.get("PROOF_SEED", "1"))
        self._found: dict[str, Result] = {}

    def add(self, report: pytest.TestReport) -> None:
        """Count a phase of a test: setup, call or teardown."""
        key = dict(report.user_properties).get("hazard_result")
        if key is None:
            return
        found = self._found.get(str(key))
        if found is None:
            today = datetime.now(UTC).date().isoformat()
            found = self._found[str(key)] = Result("skipped", 0, 0.0, today, self._seed)
        found.seconds += report.duration
        found.cases += report.when == "call" or (report.when == "setup" and not report.passed)
        counts = report.when == "call" or not report.passed
        if counts and _WORST_LAST.index(report.outcome) > _WORST_LAST.index(found.outcome):
            found.outcome = report.outcome

    def keep(self) -> None:
        """Write the results of this run beside those that it did not touch."""
        # What was interrupted has no outcome.
        ended = {key: result for key, result in self._found.items() if result.cases}
        if not ended:
            return
        merged = read_results() | ended
        lines = {
            key: {**asdict(merged[key]), "seconds": round(merged[key].seconds, 1)}
            for key in sorted(merged)
        }
        RESULTS.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each test of a hazard say, in its reports, where its outcome belongs."""
    for item in items:
        if item.get_closest_marker("hazard") is None:
            continue
        path, _, rest = item.nodeid.partition("::")
        long = any(item.get_closest_marker(mark) for mark in ("proof", "fuzz"))
        key = key_of(path, rest.partition("[")[0], "long" if long else "short")
        item.user_properties.append(("hazard_result", key))


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Keep the results at the end, in the process that has them all."""
    keeper = Keeper()
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_Reports(keeper))
    try:
        return (yield)
    finally:
        keeper.keep()


class _Reports:
    """Hears of every report, also of those that other processes send."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count it."""
        self._keeper.add(report)
