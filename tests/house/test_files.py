from __future__ import annotations

import ast
import re
import tomllib

from tests.house.repository import PACKAGE, ROOT, modules, texts

# A home directory, or a mount point of one machine. Brackets keep the pattern from finding itself.
_MACHINE_PATH = re.compile(
    r"(?<![\w.~-])/(?:home|Users|roo[t]|wor[k]|mn[t])/[\w.]+|\.\./share[d]\b"
)

# Each names nothing: what would be in such a file belongs to an operation or a term of the field.
_NAMELESS = {"service.py", "services.py", "utils.py", "util.py", "helpers.py", "common.py"}


def test_the_walk_sees_the_repository() -> None:
    places = {place for place, _ in texts()}
    assert {"pyproject.toml", "Makefile", ".ci/run", "src/tokportal_server/lib/log.py"} <= places
    assert PACKAGE / "lib" / "log.py" in modules()


def test_every_module_says_what_it_is() -> None:
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in modules() if path.name in _NAMELESS] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{place}: {match.group()}"
        for place, text in texts()
        for match in _MACHINE_PATH.finditer(text)
    ]
    assert found == []


def test_the_pattern_for_machine_paths_finds_them() -> None:
    for folder in ("home/alice", "root/.venv"):
        assert _MACHINE_PATH.search(f"see /{folder}/x")
    assert not _MACHINE_PATH.search("see https://h/home/page and src/root/x")


def test_every_dependency_says_what_it_is_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    explained = set(re.findall(r'^    "([^"]+)",\s*# \w.{9,}$', text, flags=re.MULTILINE))
    assert [dependency for dependency in wanted if dependency not in explained] == []


def test_every_exception_of_the_linter_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = re.findall(r'^    "[A-Z]+\d+",.*$', text, flags=re.MULTILINE)
    assert lines
    assert [line for line in lines if not re.search(r"# .{5,}$", line)] == []
