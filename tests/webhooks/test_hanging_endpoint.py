"""One endpoint hangs to the timeout with 10,000 events waiting: nobody else waits for it."""

from __future__ import annotations

import asyncio
import time
from statistics import quantiles

import pytest
from aiohttp import web

from tests.webhooks.receiver import Hang, Received, Receiver, receiving
from tests.webhooks.rig import TYPE, Rig
from tests.webhooks.test_nothing_lost import worker
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work

HEALTHY = 49
WAITING = 10_000
OTHER = "report.created"
P99_SECONDS = 1.0
EVENTS = 80
PAUSE_SECONDS = 0.25
PENDING = """
SELECT count(*) FROM webhook_deliveries WHERE event_type = $1 AND status = 'pending' AND attempt = 1
"""
UNDISPATCHED = "SELECT EXISTS (SELECT FROM events WHERE dispatched_at IS NULL) AS left"


class Stopwatch:
    """Answers at once, and notes how long after its commit each event came."""

    def __init__(self) -> None:
        self.committed: dict[str, float] = {}
        self.waits: list[float] = []

    async def __call__(self, received: Received) -> web.Response:
        self.waits.append(time.monotonic() - self.committed[received.event_id])
        return web.Response()

    async def measure(self, rig: Rig, healthy: Receiver) -> float:
        """Commit events at a steady pace; give the 99th percentile of their first attempts."""
        self.waits = []
        awaited = len(healthy.received) + EVENTS * HEALTHY
        for _ in range(EVENTS):
            async with (
                rig.ports.database.connection() as conn,
                unit_of_work(conn, rig.world.acme, now=real_now()) as tx,
            ):
                event_id = tx.emit(TYPE, {"n": 1})
                self.committed[event_id] = time.monotonic()
            await asyncio.sleep(PAUSE_SECONDS)
        await healthy.got(awaited)
        assert len(self.waits) == EVENTS * HEALTHY
        return quantiles(self.waits, n=100)[98]


async def pile_up(rig: Rig) -> None:
    """Commit what the hanging endpoint will be asked to take."""
    for _ in range(WAITING // 200):
        await rig.commit(200, event_type=OTHER)
    while (await rig.rows(UNDISPATCHED))[0]["left"]:  # noqa: ASYNC110 - another process does it
        await asyncio.sleep(0.05)


@pytest.mark.hazard(11)
@pytest.mark.proof
@pytest.mark.alone
async def test_first_attempts_of_49_endpoints_come_within_a_second_beside_one_that_hangs(
    rig: Rig, settings: Settings
) -> None:
    watch, hang = Stopwatch(), Hang()
    async with receiving(watch) as healthy, receiving(hang) as stuck, worker(settings):
        for number in range(HEALTHY):
            await rig.endpoint(f"{healthy.url}/{number}")
        without = await watch.measure(rig, healthy)
        await rig.endpoint(stuck.url, events=[OTHER])
        await pile_up(rig)
        await stuck.got(5)
        beside = await watch.measure(rig, healthy)
        [waiting] = await rig.rows(PENDING, OTHER)
        hang.over.set()
    assert waiting["count"] > WAITING * 0.9
    assert (without < P99_SECONDS, beside < P99_SECONDS) == (True, True), (without, beside)
