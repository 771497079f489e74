"""The worker process: events, deliveries, deadlines, jobs and simulated managers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from tokportal_server.analytics.providers.choosing import Providers
from tokportal_server.analytics.providers.instagram_comments import InstagramComments
from tokportal_server.analytics.retention import AnalyticsRetention
from tokportal_server.analytics.schedule import ScheduledRefreshes
from tokportal_server.analytics.tracking import (
    TRACK_POST_JOB,
    TRACKED_EVENTS,
    FinalizedPostListener,
)
from tokportal_server.comments.account_ended import (
    ACCOUNT_ENDED_JOB,
    ENDING_EVENTS,
    AccountEndedListener,
)
from tokportal_server.comments.verification import CommentSource
from tokportal_server.comments.verifier import CommentVerifier, Unconnected
from tokportal_server.entry.housekeeping import Housekeeping
from tokportal_server.entry.watching import watched_ports
from tokportal_server.lib.jobs.runner import JobRunner
from tokportal_server.lib.loops import Loop, run_loops
from tokportal_server.lib.maintenance import Resting
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.process import spare_the_collector
from tokportal_server.lib.settings import Settings
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.mails import SEALED_MAIL_JOB, MailSender
from tokportal_server.rehearsal.managers import SimulatedManagers
from tokportal_server.uploads.jobs import MediaFetcher
from tokportal_server.uploads.media import FETCH_MEDIA
from tokportal_server.uploads.operations.record_upload import MAKE_THUMBNAIL
from tokportal_server.uploads.sweep import MediaSweep
from tokportal_server.uploads.thumbnails import ThumbnailMaker
from tokportal_server.videos.media_arrival import on_media_settled
from tokportal_server.videos.proofs.recording import PROOF_JOB, PROVEN, ProofListener
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.webhooks.notices import (
    NOTICE_JOB,
    NOTICED,
    ClaimsNearTheirEnd,
    NoticeListener,
)
from tokportal_server.webhooks.retention import WebhookRetention
from tokportal_server.workbench.deadlines import Deadlines
from tokportal_server.workbench.earnings.finished import (
    EARNING_EVENTS,
    EARNINGS_JOB,
    EarningsListener,
)
from tokportal_server.workspaces.erasing import Erasures
from tokportal_server.workspaces.exports import EXPORT_JOB, ExpiredExports, ExportMaker
from tokportal_server.workspaces.notices import NOTICE_MAIL_JOB

log = structlog.get_logger(__name__)

# Which jobs are wanted for an event, in the transaction that fans it out.
_LISTENED = (
    (NOTICE_JOB, NOTICED),
    (ACCOUNT_ENDED_JOB, ENDING_EVENTS),
    (EARNINGS_JOB, EARNING_EVENTS),
    (PROOF_JOB, PROVEN),
    (TRACK_POST_JOB, TRACKED_EVENTS),
)
LISTENERS = {
    event_type: [job for job, listened in _LISTENED if event_type in listened]
    for event_type in frozenset().union(*(listened for _, listened in _LISTENED))
}


async def run_worker(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Work until ``stop`` is set or SIGTERM comes; what is under way then is finished first.

    1. Loops and jobs run side by side; if one of them breaks, the process ends with its error.
    2. Asked to stop: take nothing new, and finish within ``drain_seconds``.
    3. Past that, jobs are given back, transactions are rolled back, and deliveries in flight are
       sent again by whoever takes them over, with the same event id.
    """
    stop = stop or _stopped_by_signals()
    async with watched_ports(settings) as ports:
        rules = OrderRules.of(settings)
        deliverer = Deliverer(ports)
        loops: list[Loop] = [
            Deadlines(ports.database, rules),
            Dispatcher(ports, LISTENERS),
            deliverer,
            SimulatedManagers(ports),
            CommentVerifier(ports.database, comment_source(ports)),
            ScheduledRefreshes(ports),
            WebhookRetention(ports.database),
            AnalyticsRetention(ports.database, settings),
            ClaimsNearTheirEnd(ports.database),
            Housekeeping(ports.database, settings.incoming),
            MediaSweep(ports),
            Erasures(ports),
            ExpiredExports(ports),
        ]
        spare_the_collector()
        async with asyncio.TaskGroup() as group:
            group.create_task(_run_jobs(ports, rules, stop))
            looping = group.create_task(run_loops(_resting(loops, ports), stop))
            log.info("worker_started")
            await stop.wait()
            await _drain(looping, deliverer, settings.drain_seconds)
        log.info("worker_stopped")


def _resting(loops: Sequence[Loop], ports: Ports) -> list[Loop]:
    """Give loops that take nothing up during maintenance; attempts in flight are recorded first."""
    return [
        Resting(
            loop,
            ports.maintenance,
            ports.database,
            loop.drain if isinstance(loop, Deliverer) else None,
        )
        for loop in loops
    ]


async def _run_jobs(ports: Ports, rules: OrderRules, stop: asyncio.Event) -> None:
    """Run jobs until ``stop`` is set; those that maintenance meets are finished or given back."""
    maintenance, database = ports.maintenance, ports.database
    while not stop.is_set():
        await _first_of(stop.wait(), maintenance.changed(database, on=False))
        if stop.is_set():
            return
        runner = job_runner(ports, rules)
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run())
            await _first_of(stop.wait(), maintenance.changed(database, on=True))
            await runner.stop(ports.settings.drain_seconds)


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when the first of several ends."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _drain(looping: asyncio.Task[None], deliverer: Deliverer, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(looping)
            await deliverer.drain()
    except TimeoutError:
        looping.cancel()
        log.warning("drain_ended", in_flight=deliverer.in_flight)


def comment_source(ports: Ports) -> CommentSource:
    """Give what submitted comments are looked for with: official APIs, as far as connected."""
    return InstagramComments(ports.database, Providers.of(ports).instagram, Unconnected())


def job_runner(ports: Ports, rules: OrderRules) -> JobRunner:
    """Give the runner with every kind of job there is."""
    fetcher = MediaFetcher(ports, partial(on_media_settled, rules=rules))
    notices = NoticeListener(ports.database)
    mails = MailSender(ports)
    earnings = EarningsListener(
        ports.database,
        currency=ports.settings.earnings_currency,
        ban_days=ports.settings.earnings_ban_days,
    )
    return JobRunner(
        ports.database,
        {
            FETCH_MEDIA: fetcher.run,
            MAKE_THUMBNAIL: ThumbnailMaker(ports).run,
            NOTICE_JOB: notices.run,
            NOTICE_MAIL_JOB: mails.send_notice,
            SEALED_MAIL_JOB: mails.send_sealed,
            ACCOUNT_ENDED_JOB: AccountEndedListener(ports.database).run,
            TRACK_POST_JOB: FinalizedPostListener(ports.database).run,
            PROOF_JOB: ProofListener(ports).run,
            EARNINGS_JOB: earnings.run,
            EXPORT_JOB: ExportMaker(ports).run,
        },
    )


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
