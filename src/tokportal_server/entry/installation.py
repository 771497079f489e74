"""What the commands share: the settings, the database, and how they answer."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import asyncpg
from rich.console import Console

from tokportal_server.entry import stack
from tokportal_server.lib import log
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.settings import Settings

console = Console(stderr=True)


def settings() -> Settings:
    """Read the environment, and log as it asks for."""
    read = Settings.from_env(os.environ)
    log.configure(read.log_level, read.log_format)
    return read


def answer(value: object) -> None:
    """Print what a script would go on with."""
    sys.stdout.write(f"{value}\n")


def with_connection(act: Callable[[Connection], Awaitable[int]]) -> int:
    """Run one act on the installation's database, starting the embedded one if need be."""

    async def connected(dsn: str) -> int:
        conn = await asyncpg.connect(dsn)
        try:
            await prepare_connection(conn)
            return await act(conn)
        finally:
            await conn.close()

    with stack.borrowed_database(settings()) as ready:
        return asyncio.run(connected(ready.database_url or ""))
