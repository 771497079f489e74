"""What tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Command


@pytest.fixture
def command(dsn: str, home: Path) -> Command:
    """The command line of this test's installation."""
    return Command(dsn, home)
