"""A worker process's share of the jobs, over PGQueuer (decision 0005).

1. Pick jobs that are due, or whose worker has been silent for a lease.
2. Count the start, committed before the handler begins. A job whose last start ended its worker
   waits first, then runs with nothing beside it; one that has used up its starts is held.
3. Run the handler; a heartbeat keeps the lease meanwhile, from a thread if the loop is blocked.
4. Done: acknowledge. Error: try again later, or hold the job after its last attempt.
5. Asked to stop: pick nothing more, finish within the grace, give back what is not done then.

Every job runs at least once. A handler that changes anything checks in the same transaction that
the thing is still its to change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import structlog
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.models import Context, Job
from pgqueuer.domain.types import QueueExecutionMode, QueueManagerId
from prometheus_client import Counter, Histogram

from tokportal_server.lib import tracing
from tokportal_server.lib.db import Database
from tokportal_server.lib.jobs.queue import FencedQueries
from tokportal_server.lib.jobs.spare_heartbeat import SpareHeartbeat

log = structlog.get_logger(__name__)

Handler = Callable[[dict[str, Any]], Awaitable[None]]

ENDED = Counter(
    "tokportal_jobs_ended",
    "Runs of jobs: done, to be retried, held after the last attempt, given back, or found dead.",
    ["job", "outcome"],
)
SECONDS = Histogram(
    "tokportal_job_seconds",
    "Time that a run of a job took.",
    ["job"],
    buckets=(0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0),
)

_POLL = timedelta(seconds=0.25)
_BUSY_POLL = timedelta(seconds=0.02)
_RECONNECT_SECONDS = 0.5
_LONGEST_BACKOFF = timedelta(hours=1)


class JobFailedError(Exception):
    """A job's last attempt failed; the cause is the handler's own error."""

    def __init__(self, name: str, attempts: int) -> None:
        super().__init__(f"{name} failed {attempts} times")


class JobAbandonedError(Exception):
    """A job was started as often as allowed, and the last time ended its worker."""

    def __init__(self, name: str, attempts: int) -> None:
        super().__init__(f"{name} was started {attempts} times; the last time ended its worker")


class JobRunner:
    """Runs the jobs whose names are in ``handlers``; others wait for a worker that knows them.

    ``attempts``: how often a handler is started at most, runs that ended the process included.
    ``backoff``: the wait before the second attempt, doubled for each further one. ``lease``: how
    long a silent worker keeps its jobs. ``concurrency``: jobs at once, at least 2.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        attempts: int = 5,
        backoff: timedelta = timedelta(seconds=10),
        lease: timedelta = timedelta(seconds=30),
        concurrency: int = 8,
    ) -> None:
        self._handlers = dict(handlers)
        self._attempts = attempts
        self._backoff = backoff
        self._lease = lease
        self._concurrency = concurrency
        self._worker_id = uuid4()
        self._database = database
        self._queries = FencedQueries(database, self._worker_id)
        self._room = _Room()
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._manager: QueueManager | None = None

    async def run(self) -> None:
        """Work until :meth:`stop` is called, through every loss of the database."""
        try:
            while not self._stopping.is_set():
                try:
                    await self._work(QueueExecutionMode.continuous)
                except Exception as error:
                    # Whatever a broken connection makes its driver say, a worker is never idle for
                    # it: everything it had is either written or comes back after the lease.
                    log.warning("jobs_interrupted", exc_info=error)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), _RECONNECT_SECONDS)
        finally:
            self._ended.set()

    async def drain(self) -> None:
        """Work until nothing waits any more, not even for a later attempt; for tests and demos."""
        await self._work(QueueExecutionMode.drain)

    async def stop(self, grace_seconds: float = 30.0) -> None:
        """Start nothing more; return when what runs is finished, or given back after the grace.

        To be called while :meth:`run` is running in a task of its own.
        """
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), grace_seconds)
        for task in self._running:
            task.cancel()
        await self._ended.wait()

    async def _work(self, mode: QueueExecutionMode) -> None:
        manager = QueueManager(self._queries)
        manager.queue_manager_id = QueueManagerId(self._worker_id)
        manager.min_dequeue_poll_interval = _BUSY_POLL
        for name, handler in self._handlers.items():
            manager.register_executor(name, _Executor(self, handler))
        self._manager = manager
        if self._stopping.is_set():
            return
        async with SpareHeartbeat(self._database, self._worker_id, self._lease):
            await manager.run(
                dequeue_timeout=_POLL,
                mode=mode,
                # PGQueuer wants room for two batches.
                batch_size=self._concurrency // 2,
                max_concurrent_tasks=self._concurrency,
                heartbeat_timeout=self._lease,
                # Its statistics are folded from a log of successes that we do not write.
                log_aggregation_interval=timedelta(0),
            )

    async def execute(self, job: Job, handler: Handler) -> None:
        """Run one picked job to its end; an exception makes PGQueuer hold it."""
        try:
            await self._execute(job, handler)
        except (JobFailedError, JobAbandonedError):
            raise
        except Exception as error:
            # Only our own bookkeeping gets here. What cannot be given back comes after its lease.
            log.warning("job_left", job=job.entrypoint, id=job.id, exc_info=error)
            with suppress(Exception):
                await self._queries.release(job.id)

    async def _execute(self, job: Job, handler: Handler) -> None:
        past = await self._queries.picked(job.id)
        if past is None:
            return
        if past.unreported:
            await self._give_back_after_a_death(job, past.starts)
            return
        async with self._room.enter(alone=past.suspect):
            starts = None if self._stopping.is_set() else await self._queries.start(job.id)
            if starts is None:
                await self._queries.release(job.id)
                return
            task = asyncio.create_task(_call(handler, job))
            self._running.add(task)
            try:
                await self._settle(job, task, starts)
            finally:
                self._running.discard(task)

    async def _give_back_after_a_death(self, job: Job, starts: int) -> None:
        """Let others go first: the job may end this worker as it may have ended the last one."""
        log.warning("job_unreported", job=job.entrypoint, id=job.id, attempt=starts)
        ENDED.labels(job.entrypoint, "died").inc()
        if starts >= self._attempts:
            raise JobAbandonedError(job.entrypoint, starts)
        await self._queries.retry(job.id, self._delay(starts), died=True)

    async def _settle(self, job: Job, task: asyncio.Task[None], starts: int) -> None:
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            await self._queries.release(job.id)
            raise
        if task.cancelled() and self._stopping.is_set():
            log.info("job_released", job=job.entrypoint, id=job.id)
            ENDED.labels(job.entrypoint, "released").inc()
            await self._queries.release(job.id)
            return
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            # Before another job may begin, which could end the process with this outcome unwritten.
            await self._queries.acknowledge(job.id)
            ENDED.labels(job.entrypoint, "done").inc()
            return
        if starts >= self._attempts:
            ENDED.labels(job.entrypoint, "held").inc()
            raise JobFailedError(job.entrypoint, starts) from error
        log.warning("job_failed", job=job.entrypoint, id=job.id, attempt=starts, exc_info=error)
        ENDED.labels(job.entrypoint, "retried").inc()
        await self._queries.retry(job.id, self._delay(starts), died=False)

    def _delay(self, starts: int) -> timedelta:
        # The exponent is bounded only so that the product stays a timedelta.
        factor: int = 2 ** min(starts - 1, 20)
        return min(self._backoff * factor, _LONGEST_BACKOFF)


class _Executor(AbstractEntrypointExecutor):
    """Hands a job that PGQueuer picked to the runner."""

    def __init__(self, runner: JobRunner, handler: Handler) -> None:
        super().__init__(
            EntrypointExecutorParameters(concurrency_limit=0, func=_by_executor, on_failure="hold")
        )
        self._runner = runner
        self._handler = handler

    async def execute(self, job: Job, context: Context) -> None:  # noqa: ARG002 - PGQueuer's shape
        await self._runner.execute(job, self._handler)


async def _by_executor(job: Job) -> None:
    """Stand in the place where PGQueuer wants a function; the executor never calls it."""
    raise NotImplementedError(job.entrypoint)


async def _call(handler: Handler, job: Job) -> None:
    wanted_by = (job.headers or {}).get(tracing.HEADER)
    span = tracing.span(
        f"job {job.entrypoint}",
        "consumer",
        parent=wanted_by if isinstance(wanted_by, str) else None,
        attributes={"tokportal.attempt": job.attempts + 1},
    )
    with span, SECONDS.labels(job.entrypoint).time():
        await handler(msgspec.json.decode(job.payload or b"{}"))


class _Room:
    """Jobs work side by side; one whose worker died before works alone.

    Whatever was running beside a job that ended its process has an unreported start too. Run one by
    one, the innocent ones finish, and only the guilty one comes to its last attempt.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._inside = 0
        self._closed = False

    @asynccontextmanager
    async def enter(self, *, alone: bool) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._closed)
            if alone:
                self._closed = True
                try:
                    await self._changed.wait_for(lambda: self._inside == 0)
                except BaseException:
                    self._closed = False
                    self._changed.notify_all()
                    raise
            self._inside += 1
        try:
            yield
        finally:
            # No await that could be cancelled may stand between a leaver and the count.
            self._inside -= 1
            if alone:
                self._closed = False
            async with self._changed:
                self._changed.notify_all()
