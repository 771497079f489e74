"""Every connection to PostgreSQL is cut again and again: workers come back, and lose nothing."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.lib.databases import connected
from tests.lib.job_worker import MAKE_NOTES, NONE_WAITS, worker
from tests.lib.waiting import until_found
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue_all

CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'test'
"""
EVERY_SECONDS = 2.0
WAVE = 40


async def _workers(conn: Connection, like: str) -> set[int]:
    rows = await conn.fetch("SELECT DISTINCT worker FROM notes WHERE job LIKE $1", like)
    return {row["worker"] for row in rows}


@pytest.mark.hazard(9)
@pytest.mark.parametrize(
    "cuts", [3, pytest.param(30, marks=pytest.mark.proof)], ids=["short", "long"]
)
async def test_workers_outlive_the_loss_of_every_connection_each_two_seconds(
    dsn: str, cuts: int
) -> None:
    async with connected(dsn, application_name="test") as conn:
        await conn.execute(MAKE_NOTES)
        wanted: set[str] = set()

        async def want(wave: str) -> None:
            jobs = [f"{wave} {n}" for n in range(WAVE)]
            wanted.update(jobs)
            await enqueue_all(conn, "note", [{"job": job} for job in jobs])

        async with worker(dsn, attempts=100) as one, worker(dsn, attempts=100) as other:
            killed = 0
            for number in range(cuts):
                await want(f"wave {number}")
                # The interval is the hazard's own, not a wait for something to happen.
                await asyncio.sleep(EVERY_SECONDS)
                killed += await conn.fetchval(CUT)
            assert killed >= cuts
            await until_found(conn, NONE_WAITS, within=120)
            # Neither has been left idle: both take part in what comes afterwards.
            after = 0
            while await _workers(conn, "after%") != {one.pid, other.pid}:
                await want(f"after {after}")
                await until_found(conn, NONE_WAITS)
                after += 1
                assert after < 200, "a worker takes no jobs any more"
            assert (one.returncode, other.returncode) == (None, None)
        ran = Counter(row["job"] for row in await conn.fetch("SELECT job FROM notes"))
        assert set(ran) == wanted
