from __future__ import annotations

from packaging.version import Version

from tools.lock_check import ROOT, declared, pins, problems

PYPROJECT = """
[project]
dependencies = ["pytest>=9,<10"]
[project.optional-dependencies]
dev = ["mypy"]
"""


def test_reads_the_requirements_of_the_project_and_its_extras() -> None:
    assert [str(requirement) for requirement in declared(PYPROJECT)] == ["pytest<10,>=9", "mypy"]


def test_a_missing_pin_is_named() -> None:
    found = problems(declared('[project]\ndependencies = ["not-installed-here"]'), {})
    assert found == [
        "not-installed-here (pyproject.toml) is not pinned in constraints.txt: run `make lock`."
    ]


def test_a_pin_outside_the_range_is_named() -> None:
    requirements = declared('[project]\ndependencies = ["not-installed-here>=2"]')
    (problem,) = problems(requirements, {"not-installed-here": Version("1.0")})
    assert "not-installed-here==1.0 is pinned, pyproject.toml wants" in problem


def test_what_a_dependency_needs_must_be_pinned_too() -> None:
    found = problems(declared('[project]\ndependencies = ["pytest"]'), {"pytest": Version("9.2.0")})
    assert "pluggy (pytest) is not pinned in constraints.txt: run `make lock`." in found


def test_a_line_that_is_not_a_plain_pin_is_refused() -> None:
    pinned, wrong = pins("# made\nA.b==1.0\nx @ file:///x.whl\n--find-links y\n\nc>=2\n")
    assert pinned == {"a-b": Version("1.0")}
    assert len(wrong) == 3


def test_the_committed_pins_are_current() -> None:
    requirements = declared((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned, wrong = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    assert wrong == []
    assert len(pinned) > len(requirements) > 20
    assert problems(requirements, pinned) == []
