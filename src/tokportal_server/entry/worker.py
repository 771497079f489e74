"""The worker process: events, deliveries, deadlines, jobs and simulated managers."""

from __future__ import annotations

import asyncio
import signal
from functools import partial

import structlog

from tokportal_server.comments.account_ended import (
    ACCOUNT_ENDED_JOB,
    ENDING_EVENTS,
    AccountEndedListener,
)
from tokportal_server.comments.verifier import CommentVerifier, Unconnected
from tokportal_server.entry.housekeeping import Housekeeping
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.jobs.runner import JobRunner
from tokportal_server.lib.loops import Loop, run_loops
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.process import spare_the_collector
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.rules import OrderRules
from tokportal_server.rehearsal.managers import SimulatedManagers
from tokportal_server.uploads.jobs import MediaFetcher
from tokportal_server.uploads.media import FETCH_MEDIA
from tokportal_server.uploads.operations.record_upload import MAKE_THUMBNAIL
from tokportal_server.uploads.sweep import MediaSweep
from tokportal_server.uploads.thumbnails import ThumbnailMaker
from tokportal_server.videos.media_arrival import on_media_settled
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.webhooks.notices import NOTICE_JOB, NOTICED, NoticeListener
from tokportal_server.webhooks.retention import WebhookRetention
from tokportal_server.workbench.deadlines import Deadlines

log = structlog.get_logger(__name__)

# Which jobs are wanted for an event, in the transaction that fans it out.
LISTENERS = {
    event_type: [
        job
        for job, listened in ((NOTICE_JOB, NOTICED), (ACCOUNT_ENDED_JOB, ENDING_EVENTS))
        if event_type in listened
    ]
    for event_type in NOTICED | ENDING_EVENTS
}


async def run_worker(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Work until ``stop`` is set or SIGTERM comes; what is under way then is finished first.

    1. Loops and jobs run side by side; if one of them breaks, the process ends with its error.
    2. Asked to stop: take nothing new, and finish within ``drain_seconds``.
    3. Past that, jobs are given back, transactions are rolled back, and deliveries in flight are
       sent again by whoever takes them over, with the same event id.
    """
    stop = stop or _stopped_by_signals()
    async with open_ports(settings, direct=True) as ports:
        rules = OrderRules.of(settings)
        deliverer = Deliverer(ports)
        loops: list[Loop] = [
            Deadlines(ports.database, rules),
            Dispatcher(ports, LISTENERS),
            deliverer,
            SimulatedManagers(ports),
            CommentVerifier(ports.database, Unconnected()),
            WebhookRetention(ports.database),
            Housekeeping(ports.database, settings.incoming),
            MediaSweep(ports),
        ]
        runner = job_runner(ports, rules)
        spare_the_collector()
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run())
            looping = group.create_task(run_loops(loops, stop))
            log.info("worker_started")
            await stop.wait()
            group.create_task(runner.stop(settings.drain_seconds))
            await _drain(looping, deliverer, settings.drain_seconds)
        log.info("worker_stopped")


async def _drain(looping: asyncio.Task[None], deliverer: Deliverer, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(looping)
            await deliverer.drain()
    except TimeoutError:
        looping.cancel()
        log.warning("drain_ended", in_flight=deliverer.in_flight)


def job_runner(ports: Ports, rules: OrderRules) -> JobRunner:
    """Give the runner with every kind of job there is."""
    fetcher = MediaFetcher(ports, partial(on_media_settled, rules=rules))
    notices = NoticeListener(ports.database)
    return JobRunner(
        ports.database,
        {
            FETCH_MEDIA: fetcher.run,
            MAKE_THUMBNAIL: ThumbnailMaker(ports).run,
            NOTICE_JOB: notices.run,
            ACCOUNT_ENDED_JOB: AccountEndedListener(ports.database).run,
        },
    )


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
