from __future__ import annotations

import ast
from pathlib import Path

from tests.house.repository import PACKAGE, modules


def _slices_imported_by(path: Path) -> set[str]:
    """Give the first package below ``tokportal_server`` of every import in a module."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names += [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0):
                names += [f"{module}.{alias.name}" for alias in node.names]
            case ast.ImportFrom():
                names.append(f"tokportal_server.(relative import in {path.name})")
    return {name.split(".")[1] for name in names if name.startswith("tokportal_server.")}


def test_lib_imports_nothing_of_the_other_slices() -> None:
    found = {
        str(path.relative_to(PACKAGE)): others
        for path in modules()
        if path.is_relative_to(PACKAGE / "lib") and (others := _slices_imported_by(path) - {"lib"})
    }
    assert found == {}


def test_an_import_of_another_slice_would_be_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n    from tokportal_server.orders import states\n")
    assert _slices_imported_by(module) == {"orders"}
