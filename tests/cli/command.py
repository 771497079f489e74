"""Running ``tokportal-server`` as a process of its own, on a test's database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lib.processes import environment


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """The command line of an installation; with an empty ``dsn`` on the embedded PostgreSQL."""

    dsn: str
    home: Path

    async def __call__(
        self, *arguments: object, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> Outcome:
        """Run one command to its end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tokportal_server.entry.main",
            *map(str, arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment() | dict(env or {}),
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Outcome(process.returncode, out.decode().strip(), err.decode().strip())

    def _environment(self) -> dict[str, str]:
        ours = {
            "TOKPORTAL_DATABASE_URL": self.dsn,
            "TOKPORTAL_HOME": str(self.home),
            # Wide and plain, so that a sentence stands on one line.
            "COLUMNS": "400",
            "NO_COLOR": "1",
        }
        return environment(**{name: value for name, value in ours.items() if value})
