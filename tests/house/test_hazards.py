"""Each hazard has tests that say so, and the page of results names them all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools import proof_page
from tools.hazards import HAZARDS, LONG, hazard_tests, proving
from tools.proof_results import Result, key_of

TESTS = hazard_tests()


def test_there_are_forty() -> None:
    assert list(HAZARDS) == list(range(1, 41))
    assert {number for test in TESTS for number in test.hazards} == set(HAZARDS)


@pytest.mark.parametrize("number", HAZARDS)
def test_each_is_proven_in_every_run_of_the_suite(number: int) -> None:
    assert any(test.short for test in proving(number, TESTS))


@pytest.mark.parametrize("number", sorted(LONG))
def test_those_with_large_numbers_have_a_long_test_too(number: int) -> None:
    assert any(test.long for test in proving(number, TESTS))


def test_the_page_names_every_test() -> None:
    assert proof_page.is_current()


def test_the_page_says_what_failed_and_what_was_not_run() -> None:
    [first, second] = proving(23, TESTS)[:1] + proving(30, TESTS)[:1]
    failed = Result("failed", 3, 1.4, "2026-01-31", 7)
    page = proof_page.page(TESTS, {key_of(first.path, first.name, "short"): failed})
    assert "| **1 failed** (3 cases, 1 s, 2026-01-31, seed 7) |" in page
    assert f"| 30 | {HAZARDS[30]} | not run |" in page
    assert second.name in page


def test_marks_are_read_from_decorators_and_from_single_cases(tmp_path: Path) -> None:
    file = tmp_path / "tests" / "test_it.py"
    file.parent.mkdir()
    source = """
@pytest.mark.hazard(1)
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.proof)])
def test_both(): ...

@pytest.mark.proof
@pytest.mark.hazard(2)
@pytest.mark.hazard(3)
async def test_long(): ...

@pytest.mark.hazard(4)
def test_short(): ...

def test_other(): ...
"""
    ast.parse(source)
    file.write_text(source, encoding="utf-8")
    found = {test.name: (test.hazards, test.kinds) for test in hazard_tests(file.parent)}
    assert found == {
        "test_both": ((1,), ("short", "long")),
        "test_long": ((2, 3), ("long",)),
        "test_short": ((4,), ("short",)),
    }
