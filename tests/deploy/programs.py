"""Programs of the system that a test needs, or is skipped without."""

from __future__ import annotations

import shutil

import pytest


def program(name: str, package: str | None = None) -> str:
    """Give where it is; skips the test if it isn't there."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed. On Debian: apt install {package or name}")
    return found
