"""A trial of the whole under faults: ``python -m tools.faults --minutes 20 --seed N``.

Prints the table of what fell and what held, and writes everything as JSON. The same seed draws the
same faults with the same durations in the same order; what the load is doing when they fall differs
from run to run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.faults.blows import KINDS
from tests.faults.report import Report
from tests.faults.trial import begun


def main() -> int:
    """Hold the trial; give 1 if something was lost, doubled, or not well again in time."""
    parser = argparse.ArgumentParser(description="Try the server under faults.")
    parser.add_argument("--minutes", type=float, default=20.0, help="time under load")
    parser.add_argument("--seed", type=int, default=1, help="what the faults are drawn from")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--folder", type=Path, help="where promises and the report are kept")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="tokportal-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = asyncio.run(_hold(asked.seed, asked.minutes * 60, folder, asked.kinds))
    (folder / "report.json").write_text(report.as_json())
    print(report.as_table())
    for failure in report.failures:
        print(f"FAILED: {failure}")
    print(f"Everything: {folder / 'report.json'}")
    return 1 if report.failures else 0


async def _hold(seed: int, seconds: float, folder: Path, kinds: list[str]) -> Report:
    async with begun(seed=seed, folder=folder, kinds=kinds) as trial:
        await trial.go_through(seconds)
    return trial.report


if __name__ == "__main__":
    sys.exit(main())
