"""Print what each phase of the CI run took beside its budget.

Usage: ``python3 tools/phases.py JUNIT_FILE INSTALL_SECONDS TOTAL_SECONDS``. The time of tests comes
from pytest's JUnit report: what the suite took by the clock is shared out in proportion to the
test seconds of each kind, since the kinds run side by side in several processes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

BUDGET_MINUTES = {
    "installs": 5,
    "check": 2,
    "unit and API": 8,
    "hazards": 10,
    "browser": 6,
    "fuzz": 3,
    "rest": 4,
}
_KIND_OF_FOLDER = {"hazards": "hazards", "browser": "browser", "fuzz": "fuzz", "bench": "rest"}


def seconds_by_kind(report: Path) -> dict[str, float]:
    """Give the seconds by the clock of each kind of test; nothing if there is no report."""
    if not report.is_file():
        return {}
    # The report is our own test run's, so entity bombs are no concern.
    root = ET.parse(report).getroot()  # noqa: S314
    clock = sum(float(suite.get("time", 0)) for suite in root.iter("testsuite"))
    kinds: dict[str, float] = {}
    for case in root.iter("testcase"):
        parts = case.get("classname", "").split(".")
        kind = _KIND_OF_FOLDER.get(parts[1] if len(parts) > 1 else "", "unit and API")
        kinds[kind] = kinds.get(kind, 0) + float(case.get("time", 0))
    busy = sum(kinds.values()) or 1.0
    return {kind: clock * seconds / busy for kind, seconds in kinds.items()}


def table(report: Path, installs: float, total: float) -> str:
    """Give the table in minutes; phases over their budget are marked."""
    took = {"installs": installs, **seconds_by_kind(report)}
    took["check"] = max(0.0, total - sum(took.values()))
    lines = [f"{'phase':<14}{'budget':>8}{'took':>8}   (minutes)"]
    for phase, budget in BUDGET_MINUTES.items():
        minutes = took.get(phase, 0.0) / 60
        mark = "  over" if minutes > budget else ""
        lines.append(f"{phase:<14}{budget:>8}{minutes:>8.1f}{mark}")
    lines.append(f"{'all':<14}{sum(BUDGET_MINUTES.values()):>8}{total / 60:>8.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
