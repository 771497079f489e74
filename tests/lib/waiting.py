"""Waiting for what sends no events: a fact of the database, a port. Bounds are safety nets only."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tokportal_server.lib.db import Connection

# No test waits this long unless something is broken.
SAFETY_NET = 60.0
_BLOCKED_BY_US = """
SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""
# In a transaction the view shows only who was connected when it was first looked at.
_LOOK_AFRESH = "SELECT pg_stat_clear_snapshot()"


async def until(true: Callable[[], Awaitable[Any]], *, within: float = SAFETY_NET) -> None:
    """Wait until a question is answered with yes; at most ``within`` seconds."""
    async with asyncio.timeout(within):
        while not await true():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.05)


async def until_found(
    conn: Connection, query: str, *arguments: object, within: float = SAFETY_NET
) -> None:
    """Wait until a query gives something that is true, or more than zero."""
    await until(lambda: conn.fetchval(query, *arguments), within=within)


async def until_blocked(conn: Connection, call: asyncio.Task[Any]) -> None:
    """Wait until somebody waits for a lock of this connection; the call is not over before."""
    async with asyncio.timeout(SAFETY_NET):
        while not await conn.fetchval(_BLOCKED_BY_US):
            assert not call.done(), call
            await asyncio.sleep(0.01)
            await conn.execute(_LOOK_AFRESH)


def until_it_listens(port: int, process: subprocess.Popen[bytes], said: Path | None = None) -> None:
    """Wait until a process listens on a port of 127.0.0.1; it may have said to a file why not."""
    deadline = time.monotonic() + SAFETY_NET
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    reason = said.read_text() if said else "see standard error"
    raise AssertionError(f"nobody listens on {port}: {reason}")
