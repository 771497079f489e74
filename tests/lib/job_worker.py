"""A worker process for the tests of jobs: `python -m tests.lib.job_worker <dsn> [attempts]`.

It knows the jobs `note` (writes a row), `die` (writes a row and ends the process at once), `hang`
(writes a row and never ends) and `block` (writes a row and blocks the event loop for three leases),
prints `ready`, and stops on SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from tests.lib.processes import work_until_asked, worker_process
from tokportal_server.lib.db import Database
from tokportal_server.lib.jobs.runner import JobRunner

LEASE = timedelta(seconds=2)
BACKOFF = timedelta(milliseconds=200)
ATTEMPTS = 3
GRACE_SECONDS = 1.0

MAKE_NOTES = """
CREATE TABLE notes (job text NOT NULL, worker integer NOT NULL,
                    at timestamptz NOT NULL DEFAULT clock_timestamp())
"""
NONE_WAITS = "SELECT NOT EXISTS (SELECT FROM pgqueuer)"
NOTE = "INSERT INTO notes (job, worker) VALUES ($1, $2)"


async def work(dsn: str, attempts: int) -> None:
    database = await Database.open(dsn, size=4)

    async def note(payload: dict[str, Any]) -> None:
        async with database.connection() as conn:
            await conn.execute(NOTE, payload["job"], os.getpid())

    async def die(payload: dict[str, Any]) -> None:
        await note(payload)
        os._exit(1)

    async def hang(payload: dict[str, Any]) -> None:
        await note(payload)
        await asyncio.Event().wait()

    async def block(payload: dict[str, Any]) -> None:
        await note(payload)
        time.sleep(3 * LEASE.total_seconds())  # noqa: ASYNC251 - the fault that is asked for

    runner = JobRunner(
        database,
        {"note": note, "die": die, "hang": hang, "block": block},
        attempts=attempts,
        backoff=BACKOFF,
        lease=LEASE,
        concurrency=4,
    )
    await work_until_asked(runner, GRACE_SECONDS)
    await database.close()


def worker(
    dsn: str, *, attempts: int = ATTEMPTS
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Run one in a process of its own until the block ends."""
    return worker_process("tests.lib.job_worker", dsn, str(attempts))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else ATTEMPTS))
