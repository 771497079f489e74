from __future__ import annotations

from tools.dependency_audit import CLEAN, NOT_ASKED, VULNERABLE, judge

FINE = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


def test_pins_without_a_vulnerability_are_clean() -> None:
    assert judge([FINE]) == CLEAN


def test_a_pin_that_nobody_knows_is_not_called_clean() -> None:
    assert judge([FINE, SKIPPED]) == judge([SKIPPED]) == judge([]) == NOT_ASKED


def test_a_vulnerable_pin_counts_more_than_one_that_nobody_knows() -> None:
    assert judge([SKIPPED, BAD, FINE]) == VULNERABLE
