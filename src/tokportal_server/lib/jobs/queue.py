"""PGQueuer's view of the database, on our pool, without NOTIFY and with fences.

PGQueuer acknowledges a job by its id alone, so a worker that was thought dead could acknowledge a
job that another one is running by now. Here every statement about a picked job also names the
worker that picked it: whoever lost the job changes no row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from pgqueuer.adapters.persistence.composer import ComposedQuery
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.tm import TaskManager
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import JOB_STATUS, JobId
from pgqueuer.ports.driver import Driver, NotifyCallback

from tokportal_server.lib.db import UNAVAILABLE, Database, ServiceUnavailableError

_BY_PRIORITY = "ORDER BY candidate.priority DESC, candidate.id ASC"
# An index has this order: the first entry is the one to take.
_BY_TIME = "ORDER BY candidate.execute_after"
# Between the attempts to write what became of a job, in seconds.
_PAUSES = (0.05, 0.2, 0.5, 1.0)

ACKNOWLEDGE = """
DELETE FROM pgqueuer WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'
"""
HOLD = """
WITH held AS (
    UPDATE pgqueuer q
       SET status = 'failed', updated = now(), queue_manager_id = NULL, unreported = false
      FROM unnest($1::bigint[], $3::jsonb[]) AS failure(id, traceback)
     WHERE q.id = failure.id AND q.queue_manager_id = $2 AND q.status = 'picked'
    RETURNING q.id, q.entrypoint, q.priority, failure.traceback
)
INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'failed', entrypoint, priority, traceback FROM held
"""
BEAT = """
UPDATE pgqueuer SET heartbeat = now()
 WHERE id = ANY($1::bigint[]) AND queue_manager_id = $2 AND status = 'picked'
"""
PICKED = """
SELECT starts, unreported, suspect FROM pgqueuer
 WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'
"""
START = """
UPDATE pgqueuer SET starts = starts + 1, unreported = true, updated = now()
 WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'
RETURNING starts
"""
RETRY = """
UPDATE pgqueuer
   SET status = 'queued', queue_manager_id = NULL, attempts = attempts + 1, updated = now(),
       execute_after = now() + $3, suspect = $4, unreported = false
 WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'
"""
# A job that was given back unfinished is as good as never started.
RELEASE = """
UPDATE pgqueuer
   SET status = 'queued', queue_manager_id = NULL, updated = now(),
       starts = starts - unreported::int, unreported = false
 WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'
"""


class PollingDriver(Driver):
    """Runs PGQueuer's statements on connections of our pool; nothing listens, nothing notifies.

    A notification goes to this process's own listeners and no further: PGQueuer checks in this way
    that its listener is alive, and finds that it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callbacks: list[NotifyCallback] = []
        self._shutdown = asyncio.Event()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Run a statement and give its rows."""
        async with self._database.connection() as conn:
            return [dict(row) for row in await conn.fetch(query, *args)]

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement and give its command tag."""
        async with self._database.connection() as conn:
            return await conn.execute(query, *args)

    async def notify(self, channel: str, payload: str) -> None:  # noqa: ARG002 - there is one
        """Call the listeners of this process."""
        for callback in self._callbacks:
            callback(payload)

    async def add_listener(
        self,
        channel: str,  # noqa: ARG002 - as in notify
        callback: NotifyCallback,
    ) -> None:
        """Add a listener of this process."""
        self._callbacks.append(callback)

    @property
    def shutdown(self) -> asyncio.Event:
        """Never set: the runner stops its manager, and the pool outlives both."""
        return self._shutdown

    @property
    def tm(self) -> TaskManager:
        """No task is ever running here."""
        return TaskManager()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """The pool belongs to the process: leave it open."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a picked job: starts so far, and whether one ended its worker.

    ``unreported``: the last start did; ``suspect``: an earlier one did.
    """

    starts: int
    unreported: bool
    suspect: bool


class DueFirst(QueryQueueBuilder):
    """PGQueuer's claim, in the order in which jobs fell due.

    Ours have one priority. In PGQueuer's order, priority and id, a claim walks past every job that
    is not due yet: among 100,000 of them it read 1,900 pages, and now reads as many as among none.
    """

    def build_dequeue_query(self, **asked: Any) -> ComposedQuery:
        """Compose the claim.

        Raises:
            RuntimeError: PGQueuer's statement is another one than ours was written for.
        """
        composed = super().build_dequeue_query(**asked)
        if _BY_PRIORITY not in composed.sql:
            raise RuntimeError(f"PGQueuer's claim does not say {_BY_PRIORITY!r} any more")
        return replace(composed, sql=composed.sql.replace(_BY_PRIORITY, _BY_TIME))


class FencedQueries(Queries):
    """PGQueuer's statements as one worker may run them: on the jobs that it has picked."""

    def __init__(self, database: Database, worker_id: UUID) -> None:
        super().__init__(PollingDriver(database), qbq=DueFirst())
        self._database = database
        self._worker_id = worker_id

    async def log_jobs(
        self, job_status: list[tuple[Job, JOB_STATUS, TracebackRecord | None]]
    ) -> None:
        """Hold what failed for good.

        Every other outcome was written by the runner at once. PGQueuer takes whatever returns
        without an error for done and says so here, in a batch and a moment later; by then the job
        may wait for its next attempt, or be picked again.
        """
        failed = [(job.id, trace) for job, status, trace in job_status if status == "failed"]
        if failed:
            traces = [trace and trace.model_dump(mode="json") for _, trace in failed]
            await self._run(HOLD, [job_id for job_id, _ in failed], traces)

    async def update_heartbeat(self, job_ids: Sequence[JobId]) -> None:
        """Say that the jobs are still being worked on here."""
        await self._run(BEAT, list(job_ids))

    async def picked(self, job_id: int) -> Past | None:
        """Give the past of a job that this worker has picked; None if it is not ours any more."""
        async with self._database.connection() as conn:
            row = await conn.fetchrow(PICKED, job_id, self._worker_id)
            return Past(**row) if row else None

    async def start(self, job_id: int) -> int | None:
        """Count a start, and give which one it is; None if the job is not ours any more."""
        async with self._database.connection() as conn:
            starts: int | None = await conn.fetchval(START, job_id, self._worker_id)
            return starts

    async def acknowledge(self, job_id: int) -> None:
        """Remove the job: it is done."""
        await self._run(ACKNOWLEDGE, job_id)

    async def retry(self, job_id: int, delay: timedelta, *, died: bool) -> None:
        """Give the job back, to be started again when ``delay`` has passed.

        ``died``: its last start ended a worker, so that the next one has to be made alone.
        """
        await self._run(RETRY, job_id, delay, died)

    async def release(self, job_id: int) -> None:
        """Give the job back untouched, to be started by anybody at once."""
        await self._run(RELEASE, job_id)

    async def _run(self, statement: str, subject: Any, *more: object) -> None:
        """Execute, again if the connection is lost: done twice, each of these changes nothing more.

        A job that stays picked in this worker's name takes one of its places, and a worker without
        a free place would never ask for another job.
        """
        for pause in (*_PAUSES, None):
            try:
                async with self._database.connection() as conn:
                    await conn.execute(statement, subject, self._worker_id, *more)
            except (*UNAVAILABLE, ServiceUnavailableError):
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return
