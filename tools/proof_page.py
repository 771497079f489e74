"""Write docs/operate/hazards.md: each hazard, the tests that prove it, and what came of them.

Usage: ``python -m tools.proof_page [--check]``. The list is read from the tests, the results from
what ``make proof`` kept. ``--check`` fails if the list on the page is not the present one; results
may be older.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from tools.hazards import GROUPS, HAZARDS, ROOT, HazardTest, hazard_tests, proving
from tools.proof_results import Result, key_of, read_results

PAGE: Final = ROOT / "docs" / "operate" / "hazards.md"
_LIST: Final = "## The tests"
_HEAD: Final = """\
# Hazards

What must not happen, whatever happens, and what came of provoking it. Everything runs against a
real PostgreSQL and, where a process has to die for it, against real processes. The short tests are
part of `make test`; `make proof` runs them and the long ones, which have the numbers below, and
writes this page. Another seed (`make proof SEED=7`) draws other moments to kill at and other
sequences.

"""


def _sum(results: Iterable[Result | None]) -> str:
    """Say in a cell what came of some tests."""
    known = [result for result in results if result is not None]
    if not known:
        return "not run"
    failed = sum(result.outcome == "failed" for result in known)
    skipped = sum(result.outcome == "skipped" for result in known)
    cases = sum(result.cases for result in known)
    verdict = f"**{failed} failed**" if failed else "passed"
    if skipped:
        verdict += f", {skipped} skipped"
    seconds = sum(result.seconds for result in known)
    days = sorted({result.date for result in known})
    seeds = ", ".join(sorted({str(result.seed) for result in known}))
    cell = f"{verdict} ({cases} cases, {seconds:.0f} s, {days[0]}, seed {seeds})"
    return cell.replace("(1 cases", "(1 case")


def _results(tests: Iterable[HazardTest], kind: str, kept: dict[str, Result]) -> str:
    ours = [test for test in tests if kind in test.kinds]
    if not ours:
        return "-"
    found = [kept.get(key_of(test.path, test.name, kind)) for test in ours]
    missing = sum(result is None for result in found)
    told = _sum(found)
    return f"{told}; {missing} not run" if missing and told != "not run" else told


def _table(tests: list[HazardTest], kept: dict[str, Result]) -> Iterator[str]:
    for number, hazard in HAZARDS.items():
        if number in GROUPS:
            yield ""
            yield f"## {GROUPS[number]}"
            yield ""
            yield "| | hazard | short | long |"
            yield "|---|---|---|---|"
        ours = proving(number, tests)
        cells = [_results(ours, kind, kept) for kind in ("short", "long")]
        yield f"| {number} | {hazard} | {cells[0]} | {cells[1]} |"


def listing(tests: list[HazardTest]) -> str:
    """Give the part of the page that names every test."""
    lines = [_LIST, ""]
    for number in HAZARDS:
        named = [
            f"`{test.path}::{test.name}`" + (" (long)" if test.kinds == ("long",) else "")
            for test in proving(number, tests)
        ]
        lines += [f"{number}. " + "\n   ".join(named)]
    return "\n".join(lines) + "\n"


def page(tests: list[HazardTest], kept: dict[str, Result]) -> str:
    """Give the whole page."""
    table = "\n".join(_table(tests, kept)).lstrip("\n")
    return f"{_HEAD}{table}\n\n{listing(tests)}"


def is_current() -> bool:
    """Tell whether the page names the hazards and tests that there are."""
    if not PAGE.is_file():
        return False
    written = PAGE.read_text(encoding="utf-8")
    hazards = [f"| {number} | {hazard} |" for number, hazard in HAZARDS.items()]
    return written.endswith(listing(hazard_tests())) and all(row in written for row in hazards)


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    if arguments == ["--check"]:
        if is_current():
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not current: run python -m tools.proof_page")
        return 1
    PAGE.write_text(page(hazard_tests(), read_results()), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
