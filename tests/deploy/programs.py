"""Programs of the system that a test needs, or is skipped without, and their examples of ours."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def program(name: str, package: str | None = None) -> str:
    """Give where it is; skips the test if it isn't there."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed. On Debian: apt install {package or name}")
    return found


def adapted(example: Path, *changes: tuple[str, str]) -> str:
    """Give an example with what is different here; each change must find its place."""
    text = example.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text
