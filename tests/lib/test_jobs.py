"""Jobs on a real PostgreSQL, run by real worker processes where a death is part of the fact."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.lib.job_worker import ATTEMPTS, BACKOFF, LEASE, MAKE_NOTES, worker
from tests.lib.waiting import until
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.jobs import enqueue, enqueue_all
from tokportal_server.lib.jobs.queue import FencedQueries
from tokportal_server.lib.jobs.runner import JobRunner

JOBS = "SELECT entrypoint, status::text, starts, suspect FROM pgqueuer ORDER BY id"


async def jobs(conn: Connection) -> list[tuple[str, str, int]]:
    return [(r["entrypoint"], r["status"], r["starts"]) for r in await conn.fetch(JOBS)]


def runner_of(
    database: Database, *, lease: timedelta = timedelta(seconds=30), **handlers: Any
) -> JobRunner:
    return JobRunner(
        database,
        handlers,
        attempts=ATTEMPTS,
        backoff=timedelta(milliseconds=10),
        lease=lease,
        concurrency=4,
    )


@pytest.fixture
async def notes(conn: Connection) -> Callable[[], Awaitable[list[tuple[str, int]]]]:
    await conn.execute(MAKE_NOTES)

    async def read() -> list[tuple[str, int]]:
        return [(r["job"], r["worker"]) for r in await conn.fetch("SELECT * FROM notes")]

    return read


async def test_runs_a_job_with_its_payload_and_removes_it(
    database: Database, conn: Connection
) -> None:
    seen: list[dict[str, Any]] = []

    async def note(payload: dict[str, Any]) -> None:
        seen.append(payload)

    await enqueue(conn, "note", {"id": str(uuid4()), "n": 1, "text": "ü\n"})
    await runner_of(database, note=note).drain()
    assert [p["n"] for p in seen] == [1]
    assert seen[0]["text"] == "ü\n"
    assert await jobs(conn) == []


@pytest.mark.hazard(5)
async def test_a_rolled_back_transaction_leaves_no_job(conn: Connection) -> None:
    async def enqueue_and_fail() -> None:
        async with conn.transaction():
            await enqueue(conn, "note", {"n": 1})
            await enqueue_all(conn, "note", [{"n": 2}, {"n": 3}])
            assert len(await jobs(conn)) == 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await enqueue_and_fail()
    assert await jobs(conn) == []


@pytest.mark.hazard(6)
async def test_enqueueing_sends_no_notification(dsn: str, conn: Connection) -> None:
    listener = await asyncpg.connect(dsn)
    heard: list[object] = []
    await listener.add_listener("ch_pgqueuer", lambda *told: heard.append(told))
    await enqueue(conn, "note", {})
    await conn.execute("SELECT pg_notify('ch_pgqueuer', 'last')")
    # Notifications come in the order of their commits, so the first one heard would be the job's.
    await until(lambda: _true(bool(heard)))
    await listener.close()
    assert len(heard) == 1


async def _true(value: bool) -> bool:  # noqa: FBT001 - it is the whole of the thing
    return value


async def test_a_dedupe_key_holds_off_a_second_job_while_the_first_waits(
    database: Database, conn: Connection
) -> None:
    count = 0

    async def note(_: dict[str, Any]) -> None:
        nonlocal count
        count += 1

    for _ in range(3):
        await enqueue(conn, "note", {}, dedupe_key="report:1")
    await enqueue(conn, "note", {}, dedupe_key="report:2")
    await runner_of(database, note=note).drain()
    assert count == 2
    await enqueue(conn, "note", {}, dedupe_key="report:1")
    assert len(await jobs(conn)) == 1


async def test_a_job_that_nobody_here_knows_is_left_for_others(
    database: Database, conn: Connection
) -> None:
    async def note(_: dict[str, Any]) -> None:
        """Do nothing."""

    await enqueue(conn, "other", {})
    await enqueue(conn, "note", {})
    await runner_of(database, note=note).drain()
    assert await jobs(conn) == [("other", "queued", 0)]


async def test_a_job_that_raises_is_tried_again_and_held_after_its_last_attempt(
    database: Database, conn: Connection
) -> None:
    tries: Counter[str] = Counter()

    async def note(payload: dict[str, Any]) -> None:
        tries[payload["job"]] += 1
        if payload["job"] == "bad" or (payload["job"] == "shaky" and tries["shaky"] < 3):
            raise RuntimeError(payload["job"])

    for job in ("bad", "shaky", "good", "good"):
        await enqueue(conn, "note", {"job": job})
    await runner_of(database, note=note).drain()
    assert tries == {"bad": ATTEMPTS, "shaky": 3, "good": 2}
    assert await jobs(conn) == [("note", "failed", ATTEMPTS)]
    # The log keeps failures alone, so that it does not grow with every job.
    [logged] = await conn.fetch("SELECT status::text, traceback FROM pgqueuer_log")
    assert logged["status"] == "failed"
    assert logged["traceback"]["exception_type"] == "JobFailedError"


async def test_two_workers_run_each_job_once(dsn: str, conn: Connection, notes: Any) -> None:
    wanted = 0
    async with worker(dsn), worker(dsn):
        while len({process for _, process in await notes()}) < 2:
            wave = [{"job": f"job {n}"} for n in range(wanted, wanted + 100)]
            wanted += len(wave)
            await enqueue_all(conn, "note", wave)
            await until(lambda: _none_left(conn))
    ran = await notes()
    assert Counter(job for job, _ in ran) == {f"job {n}": 1 for n in range(wanted)}


async def _none_left(conn: Connection) -> bool:
    return not await jobs(conn)


@pytest.mark.hazard(2)
async def test_a_job_outlives_its_lease_while_its_worker_lives(
    dsn: str, conn: Connection, notes: Any
) -> None:
    await enqueue(conn, "hang", {"job": "long"})
    async with worker(dsn), worker(dsn):
        await until(lambda: _has(notes, "long"))
        # Three leases are the fact that is tested here, not a wait for something to happen.
        await asyncio.sleep(3 * LEASE.total_seconds())
        assert len(await notes()) == 1


@pytest.mark.hazard(2)
async def test_a_job_that_blocks_its_workers_event_loop_for_three_leases_runs_once(
    dsn: str, conn: Connection, notes: Any
) -> None:
    await enqueue(conn, "block", {"job": "busy"})
    async with worker(dsn), worker(dsn):
        await until(lambda: _none_left(conn))
    assert len(await notes()) == 1


async def _has(notes: Any, job: str) -> bool:
    return job in [name for name, _ in await notes()]


@pytest.mark.hazard(1)
async def test_the_job_of_a_killed_worker_is_run_again(
    dsn: str, conn: Connection, notes: Any
) -> None:
    await enqueue(conn, "hang", {"job": "interrupted"})
    async with worker(dsn) as first:
        await until(lambda: _has(notes, "interrupted"))
        first.kill()
        await first.wait()
        async with worker(dsn) as second:
            await until(lambda: _ran_in(notes, second.pid))
    assert [process for _, process in await notes()] == [first.pid, second.pid]


@pytest.mark.hazard(3)
async def test_a_frozen_worker_that_wakes_up_has_lost_its_job(
    dsn: str, conn: Connection, notes: Any
) -> None:
    await enqueue(conn, "hang", {"job": "long"})
    async with worker(dsn) as frozen:
        await until(lambda: _has(notes, "long"))
        frozen.send_signal(signal.SIGSTOP)
        async with worker(dsn) as other:
            await until(lambda: _ran_in(notes, other.pid))
            frozen.send_signal(signal.SIGCONT)
            # What it gives back at its end is not its to give any more.
            frozen.send_signal(signal.SIGTERM)
            assert await frozen.wait() == 0
            assert await jobs(conn) == [("hang", "picked", 2)]


async def _ran_in(notes: Any, pid: int) -> bool:
    return pid in [process for _, process in await notes()]


@pytest.mark.hazard(4)
async def test_a_job_that_ends_its_process_is_held_after_its_last_attempt_and_others_flow(
    dsn: str, conn: Connection, notes: Any
) -> None:
    await enqueue(conn, "die", {"job": "poison"})
    await enqueue_all(conn, "note", [{"job": f"job {n}"} for n in range(20)])
    deaths = 0
    while not await _settled(conn):
        async with worker(dsn) as process:
            watch = asyncio.create_task(process.wait())
            settled = asyncio.create_task(until(lambda: _settled(conn), within=300))
            await asyncio.wait({watch, settled}, return_when=asyncio.FIRST_COMPLETED)
            deaths += watch.done()
            settled.cancel()
            # It uses the same connection as the question that comes next.
            await asyncio.wait({settled})
    ran = Counter(job for job, _ in await notes())
    assert await jobs(conn) == [("die", "failed", ATTEMPTS)]
    assert ran.pop("poison") == deaths == ATTEMPTS
    assert set(ran) == {f"job {n}" for n in range(20)}


async def _settled(conn: Connection) -> bool:
    return all(status == "failed" for _, status, _ in await jobs(conn))


@pytest.mark.hazard(7)
async def test_sigterm_ends_a_worker_cleanly_and_gives_its_job_back_after_the_grace(
    dsn: str, conn: Connection, notes: Any
) -> None:
    await enqueue(conn, "hang", {"job": "unfinished"})
    async with worker(dsn) as process:
        await until(lambda: _has(notes, "unfinished"))
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert await jobs(conn) == [("hang", "queued", 0)]


@pytest.mark.hazard(7)
async def test_stopping_waits_for_what_runs_and_starts_nothing_more(
    database: Database, conn: Connection
) -> None:
    begun, go_on, finished = asyncio.Event(), asyncio.Event(), []

    async def note(payload: dict[str, Any]) -> None:
        begun.set()
        await go_on.wait()
        finished.append(payload["n"])

    await enqueue(conn, "note", {"n": 1})
    runner = runner_of(database, note=note)
    running = asyncio.create_task(runner.run())
    await begun.wait()
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0)
    await enqueue(conn, "note", {"n": 2})
    go_on.set()
    await stopping
    await running
    assert finished == [1]
    assert await jobs(conn) == [("note", "queued", 0)]


@pytest.mark.hazard(3)
async def test_a_worker_that_lost_its_job_changes_nothing_of_it(
    database: Database, conn: Connection
) -> None:
    await enqueue(conn, "note", {})
    owner, stranger = uuid4(), uuid4()
    await conn.execute(
        "UPDATE pgqueuer SET status = 'picked', queue_manager_id = $1, heartbeat = $2",
        owner,
        await conn.fetchval("SELECT now() - interval '1 hour'"),
    )
    before = await conn.fetchrow("SELECT * FROM pgqueuer")
    assert before is not None
    lost = FencedQueries(database, stranger)
    assert await lost.picked(before["id"]) is None
    assert await lost.start(before["id"]) is None
    await lost.update_heartbeat([before["id"]])
    await lost.retry(before["id"], BACKOFF, died=False)
    await lost.release(before["id"])
    assert await conn.fetchrow("SELECT * FROM pgqueuer") == before
    assert await FencedQueries(database, owner).start(before["id"]) == 1


@pytest.mark.hazard(9)
async def test_a_worker_goes_on_after_its_connections_were_cut(
    database: Database, conn: Connection
) -> None:
    done: asyncio.Queue[int] = asyncio.Queue()

    async def note(payload: dict[str, Any]) -> None:
        done.put_nowait(payload["n"])

    runner = runner_of(database, lease=LEASE, note=note)
    running = asyncio.create_task(runner.run())
    for n in range(5):
        await enqueue(conn, "note", {"n": n})
        async with asyncio.timeout(60):
            # What was cut off before it was acknowledged comes once more.
            while await done.get() != n:
                continue
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await until(lambda: _none_left(conn))
    await runner.stop()
    await running
