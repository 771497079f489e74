"""Where samples are run: a live server, the environment that they read, a directory of files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import REGISTRY

from tokportal_server.reference.examples import variable
from tokportal_server.reference.model import OperationEntry
from tokportal_server.reference.samples.request import API_KEY, BASE_URL, REHEARSAL_URL


@dataclass(frozen=True)
class Stage:
    """``own`` holds placeholders of operations that need a thing in a state of their own."""

    address: str
    folder: Path
    key: str
    rehearsal_key: str
    placeholders: Mapping[str, str]
    own: Mapping[str, Mapping[str, str]]

    def environment(self, entry: OperationEntry) -> dict[str, str]:
        """Give what a reader of the page would have set, and the way to the programs."""
        values = {**self.placeholders, **self.own.get(entry.id, {})}
        known = {variable(name): value for name, value in values.items()} | {
            BASE_URL: f"{self.address}/api/ext",
            REHEARSAL_URL: f"{self.address}/api/rehearsal",
            API_KEY: self.rehearsal_key if entry.operation.has_own_base else self.key,
        }
        # Nothing but what the page names: a variable that it forgets is missing here too.
        named = {name: known[name] for name in entry.variables}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **named}

    async def run(self, entry: OperationEntry, program: list[str]) -> str | None:
        """Run a sample; give what went wrong, or None if the server answered as documented."""
        before = _answers(entry)
        process = await asyncio.create_subprocess_exec(
            *program,
            cwd=self.folder,
            env=self.environment(entry),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            return f"ended with {process.returncode}: {output.decode()}"
        if _answers(entry) != before + 1:
            return f"the server did not answer {entry.operation.status}: {output.decode()}"
        return None


def _answers(entry: OperationEntry) -> float:
    """Count the answers of an operation with its documented status (the server runs in here)."""
    labels = {
        "operation": entry.id,
        "method": entry.operation.method,
        "status": str(entry.operation.status),
    }
    return REGISTRY.get_sample_value("tokportal_http_requests_total", labels) or 0
