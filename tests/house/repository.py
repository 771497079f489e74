"""What the tests of house rules look at: the files of this repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tokportal_server"

_FOLDERS = ("src", "tests", "tools", "docs", "deploy", "bench", "contract", ".ci", ".github")


def modules() -> list[Path]:
    """Give every Python module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def texts() -> Iterator[tuple[str, str]]:
    """Give place and content of every text file that we ship or commit."""
    files = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".env"]
    for folder in _FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(files):
        content = path.read_bytes()
        # A NUL byte is how git tells a binary file; compiled modules are among them.
        if b"\0" not in content and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), content.decode("utf-8")
