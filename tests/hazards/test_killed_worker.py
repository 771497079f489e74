"""``kill -9`` of the only worker at random moments: no job lost, none started more than it must."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import pytest

from tests.lib.job_worker import LEASE, MAKE_NOTES, NONE_WAITS, worker
from tests.lib.waiting import until_found
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue_all

# What a worker runs at once. Each outcome is written by itself, so a batch of them is one.
IN_FLIGHT = 4
LAST_BATCH = 1
HELD = """
SELECT convert_from(payload, 'UTF8')::jsonb ->> 'job' AS job FROM pgqueuer
 WHERE status = 'picked' AND unreported
"""
RAN = "SELECT count(*) >= $1 FROM notes"
RUNS_OF = "SELECT at FROM notes WHERE job = $1 ORDER BY at"


async def _now(conn: Connection) -> datetime:
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return now


async def _killed_at(
    dsn: str, conn: Connection, moments: Sequence[int]
) -> tuple[list[datetime], list[tuple[datetime, str]]]:
    """Kill a worker after each of so many runs; give the workers' starts, and what they held."""
    starts, held = [], []
    for moment in moments:
        # Many attempts, since the kills are not the jobs' doing and may meet one job repeatedly.
        async with worker(dsn, attempts=100) as process:
            starts.append(await _now(conn))
            await until_found(conn, RAN, moment, within=300)
            process.kill()
            await process.wait()
        held += [(await _now(conn), row["job"]) for row in await conn.fetch(HELD)]
    async with worker(dsn, attempts=100):
        starts.append(await _now(conn))
        await until_found(conn, NONE_WAITS, within=300)
    return starts, held


async def _longest_recovery(
    conn: Connection, starts: list[datetime], held: list[tuple[datetime, str]]
) -> float:
    """Give the seconds from when a worker was there for a dead one's job to its next run."""
    waits = [0.0]
    for killed, job in held:
        [run, *_] = [row["at"] for row in await conn.fetch(RUNS_OF, job) if row["at"] > killed]
        # The last worker that began before; an earlier one may have been killed meanwhile.
        there = max(start for start in starts if start <= run)
        waits.append((run - max(there, killed)).total_seconds())
    return max(waits)


@pytest.mark.hazard(1)
@pytest.mark.parametrize(
    ("jobs", "kills"),
    [(200, 2), pytest.param(5000, 20, marks=pytest.mark.proof)],
    ids=["short", "long"],
)
async def test_no_job_is_lost_when_the_only_worker_is_killed_again_and_again(
    dsn: str, conn: Connection, dice: random.Random, jobs: int, kills: int
) -> None:
    await conn.execute(MAKE_NOTES)
    await enqueue_all(conn, "note", [{"job": f"job {n}"} for n in range(jobs)])
    moments = sorted(dice.sample(range(1, jobs), kills))
    starts, held = await _killed_at(dsn, conn, moments)
    ran = Counter(row["job"] for row in await conn.fetch("SELECT job FROM notes"))
    assert set(ran) == {f"job {n}" for n in range(jobs)}
    assert ran.total() - jobs <= kills * (IN_FLIGHT + LAST_BATCH)
    recovery = await _longest_recovery(conn, starts, held)
    assert recovery <= 2 * LEASE.total_seconds()
