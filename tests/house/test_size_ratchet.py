from __future__ import annotations

from pathlib import Path

import pytest

from tools.size_ratchet import problems

LONG = "def f():\n" + "    x = 1\n" * 60  # 61 lines
PLACE = "src/module.py::C.f"


def tree(root: Path, text: str) -> Path:
    (root / "src").mkdir()
    (root / "src" / "module.py").write_text(text)
    return root


def in_a_class(text: str) -> str:
    return "class C:\n" + "".join(f"    {line}\n" for line in text.splitlines())


def test_a_function_of_sixty_lines_passes(tmp_path: Path) -> None:
    assert problems(tree(tmp_path, LONG.removesuffix("    x = 1\n")), []) == []


def test_a_longer_function_is_named_with_its_class(tmp_path: Path) -> None:
    (problem,) = problems(tree(tmp_path, in_a_class(LONG)), [])
    assert problem == f"{PLACE} has 61 lines, more than 60: split it."


def test_a_longer_module_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tree(tmp_path, "x = 1\n" * 451), [])
    assert problem == "src/module.py has 451 lines, more than 450: split it."


@pytest.mark.parametrize(
    ("text", "entry", "said"),
    [
        (LONG, {"lines": 61, "reason": "one table"}, None),
        (LONG, {"lines": 62, "reason": "one table"}, "its exception says 62"),
        (LONG, {"lines": 60, "reason": "one table"}, "its exception says 60"),
        (LONG, {"lines": 61, "reason": " "}, "gives no reason"),
        ("def f(): ...", {"lines": 61, "reason": "one table"}, "remove the entry"),
        ("def g(): ...", {"lines": 61, "reason": "one table"}, "remove its exception"),
    ],
)
def test_an_exception_allows_exactly_its_size(
    tmp_path: Path, text: str, entry: dict[str, str | int], said: str | None
) -> None:
    found = problems(tree(tmp_path, in_a_class(text)), [{"where": PLACE, **entry}])
    assert (said is None) == (found == [])
    assert said is None or said in found[0]
