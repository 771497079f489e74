"""Finished and scheduled jobs, however many, do not slow the claim of one that is due."""

from __future__ import annotations

import time
from datetime import timedelta
from statistics import quantiles
from uuid import uuid4

import pytest
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.jobs import enqueue_all
from tokportal_server.lib.jobs.queue import FencedQueries

NAMES = ("fetch_media", "note")
FINISHED = """
INSERT INTO pgqueuer (priority, entrypoint, payload, status, starts)
SELECT 0, $2, '{}', 'failed', 5 FROM generate_series(1, $1::integer)
"""
SCHEDULED = """
INSERT INTO pgqueuer (priority, entrypoint, payload, status, execute_after)
SELECT 0, $2, '{}', 'queued', now() + interval '1 hour' FROM generate_series(1, $1::integer)
"""
LOGGED = """
INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
SELECT id, 'failed', entrypoint, 0 FROM pgqueuer WHERE status = 'failed'
"""
LEASE = timedelta(seconds=30)
PARAMETERS = {
    QueueEntrypoint(name): EntrypointExecutionParameter(concurrency_limit=0) for name in NAMES
}
MOST_BLOCKS = 150
CLAIMS = 500
P99_SECONDS = 0.010


async def fill(conn: Connection, finished: int, scheduled: int) -> None:
    """Put that many finished and scheduled jobs in front of ``CLAIMS`` that are due."""
    for name in NAMES:
        await conn.execute(FINISHED, finished // len(NAMES), name)
        await conn.execute(SCHEDULED, scheduled // len(NAMES), name)
    await conn.execute(LOGGED)
    await enqueue_all(conn, "note", [{"n": n} for n in range(CLAIMS)])
    await conn.execute("VACUUM ANALYZE pgqueuer")


async def claim(queries: FencedQueries, worker: QueueManagerId) -> int:
    """Pick one job that is due, as a worker does; give how many came."""
    jobs = await queries.dequeue(1, PARAMETERS, worker, None, LEASE)
    return len(jobs)


async def blocks_of_a_claim(conn: Connection, queries: FencedQueries) -> int:
    """Give how many pages of the database one claim looks at; it is taken back."""
    asked = queries.qbq.build_dequeue_query(
        batch_size=1,
        entrypoints=list(PARAMETERS),
        concurrency_limits=[0] * len(PARAMETERS),
        queue_manager_id=QueueManagerId(uuid4()),
        global_concurrency_limit=None,
        heartbeat_timeout=LEASE,
    )
    async with conn.transaction():
        [plan] = await conn.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked.sql}", *asked.args
        )
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


@pytest.mark.hazard(10)
async def test_a_claim_looks_at_few_pages_among_finished_and_scheduled_jobs(
    conn: Connection, database: Database
) -> None:
    await fill(conn, 20_000, 2_000)
    queries = FencedQueries(database, uuid4())
    assert await blocks_of_a_claim(conn, queries) < MOST_BLOCKS


@pytest.mark.hazard(10)
@pytest.mark.proof
@pytest.mark.alone
async def test_a_claim_among_a_million_finished_and_a_hundred_thousand_scheduled_takes_ten_ms(
    conn: Connection, database: Database
) -> None:
    await fill(conn, 1_000_000, 100_000)
    worker = QueueManagerId(uuid4())
    queries = FencedQueries(database, worker)
    seconds = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        assert await claim(queries, worker) == 1
        seconds.append(time.perf_counter() - began)
    assert quantiles(seconds, n=100)[98] < P99_SECONDS
    # And those that are not due stay where they are.
    assert await claim(queries, worker) == 0
