"""Requests go on committing at their pace while workers drain what they enqueue."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

import pytest

from tests.lib.databases import connected
from tests.lib.job_worker import MAKE_NOTES, NONE_WAITS, worker
from tests.lib.waiting import until_found
from tokportal_server.lib import embedded
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue
from tokportal_server.migrations.run import migrate

WRITERS = 8
LEAST_SHARE = 0.6
MAKE_FACTS = "CREATE TABLE facts (id bigserial PRIMARY KEY, what text NOT NULL)"
FACT = "INSERT INTO facts (what) VALUES ($1) RETURNING id"
ROUNDS = 5
SECONDS = 4.0


@asynccontextmanager
async def writers(dsn: str) -> AsyncIterator[list[Connection]]:
    """Give a connection for each writer."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(dsn)) for _ in range(WRITERS)]


async def _write(conn: Connection, *, enqueueing: bool) -> str:
    """Commit a fact, and the job that it wants."""
    async with conn.transaction():
        fact = f"job {await conn.fetchval(FACT, 'x' * 200)}"
        if enqueueing:
            await enqueue(conn, "note", {"job": fact})
    return fact


@pytest.mark.hazard(6)
async def test_what_eight_writers_enqueue_beside_two_workers_is_all_run(
    dsn: str, conn: Connection
) -> None:
    await conn.execute(MAKE_NOTES)
    await conn.execute(MAKE_FACTS)
    wanted: list[str] = []

    async def keep_writing(own: Connection) -> None:
        wanted.extend([await _write(own, enqueueing=True) for _ in range(50)])

    async with worker(dsn), worker(dsn), writers(dsn) as connections:
        await asyncio.gather(*map(keep_writing, connections))
        await until_found(conn, NONE_WAITS)
    ran = Counter(row["job"] for row in await conn.fetch("SELECT job FROM notes"))
    assert ran == Counter(wanted)
    assert len(wanted) == WRITERS * 50


@pytest.fixture
def durable() -> Iterator[str]:
    """The address of a PostgreSQL as it runs by default, which waits for its disk."""
    with tempfile.TemporaryDirectory(prefix="tokportal-proof-") as name:
        home = Path(name)
        # PostgreSQL may run as a user of its own, who has to pass through here.
        home.chmod(0o755)
        postgres = embedded.start(home)
        try:
            migrate(postgres.dsn())
            yield postgres.dsn()
        finally:
            postgres.stop()


async def _rate(connections: list[Connection], *, enqueueing: bool) -> float:
    """Give commits per second of all writers together."""
    began, count = time.perf_counter(), 0

    async def keep_writing(own: Connection) -> None:
        nonlocal count
        while time.perf_counter() - began < SECONDS:
            await _write(own, enqueueing=enqueueing)
            count += 1

    await asyncio.gather(*(keep_writing(own) for own in connections))
    return count / (time.perf_counter() - began)


@pytest.mark.hazard(6)
@pytest.mark.proof
@pytest.mark.alone
async def test_enqueueing_beside_two_workers_keeps_six_tenths_of_the_bare_pace(
    durable: str,
) -> None:
    shares = []
    async with writers(durable) as connections:
        await connections[0].execute(MAKE_NOTES)
        await connections[0].execute(MAKE_FACTS)
        # Each round has both, so that a slower minute of the machine is in both.
        for _ in range(ROUNDS):
            bare = await _rate(connections, enqueueing=False)
            async with worker(durable), worker(durable):
                beside = await _rate(connections, enqueueing=True)
            await connections[0].execute("TRUNCATE pgqueuer")
            shares.append(beside / bare)
    assert median(shares) >= LEAST_SHARE, shares
