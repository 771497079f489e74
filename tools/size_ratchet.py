"""Functions stay under 61 lines and modules under 451, but for a list that only shrinks.

Each exception in ``size_exceptions.json`` is ``{"where", "lines", "reason"}``, ``where`` being
``path`` or ``path::Class.function``. It allows exactly the size written there: whoever makes the
thing longer fails, and whoever makes it shorter lowers the number or removes the entry.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXCEPTIONS = ROOT / "tools" / "size_exceptions.json"
FUNCTION_LIMIT = 60
MODULE_LIMIT = 450


def sizes(root: Path) -> Iterator[tuple[str, int, int]]:
    """Give place, lines and limit of every module and function under ``root/src``."""
    for path in sorted((root / "src").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        place = path.relative_to(root).as_posix()
        yield place, len(text.splitlines()), MODULE_LIMIT
        for name, lines in _functions(ast.parse(text), ""):
            yield f"{place}::{name}", lines, FUNCTION_LIMIT


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                name = prefix + child.name
                yield name, (child.end_lineno or child.lineno) - child.lineno + 1
                yield from _functions(child, f"{name}.")
            case ast.ClassDef():
                yield from _functions(child, f"{prefix}{child.name}.")
            case _:
                yield from _functions(child, prefix)


def problems(root: Path, exceptions: list[dict[str, str | int]]) -> list[str]:
    """Give a sentence for each thing too long and for each exception that is out of date."""
    found = []
    allowed = {str(entry["where"]): entry for entry in exceptions}
    for place, lines, limit in sizes(root):
        entry = allowed.pop(place, None)
        if entry is None:
            if lines > limit:
                found.append(f"{place} has {lines} lines, more than {limit}: split it.")
        elif not str(entry.get("reason", "")).strip():
            found.append(f"{place}: its exception gives no reason.")
        elif lines <= limit:
            found.append(f"{place} has {lines} lines and needs no exception: remove the entry.")
        elif lines != entry["lines"]:
            found.append(f"{place} has {lines} lines, its exception says {entry['lines']}.")
    found += [f"{place} is not there any more: remove its exception." for place in allowed]
    return found


def main() -> int:
    """Print the problems; the exit code is 1 if there are any."""
    found = problems(ROOT, json.loads(EXCEPTIONS.read_text(encoding="utf-8")))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
