"""kill -9 of the worker at random moments: every live endpoint gets every event at least once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import pytest
from aiohttp import web

from tests.conftest import free_port
from tests.webhooks.receiver import Received, Receiver, receiving
from tests.webhooks.rig import Rig
from tokportal_server.lib.settings import Settings

# What half a minute of waiting does.
LAPSE = """
UPDATE webhook_deliveries SET lease_until = now() - interval '1 s' WHERE lease_token IS NOT NULL
"""
OPEN = """
SELECT EXISTS (SELECT FROM webhook_deliveries WHERE status = 'pending' AND endpoint_id <> $1)
    OR EXISTS (SELECT FROM events WHERE dispatched_at IS NULL) AS open
"""
OUTCOMES = "SELECT endpoint_id, event_id, status, error_class FROM webhook_deliveries"
NET = 300  # seconds until the test counts as hanging


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker process until the block ends it, or -9 does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tokportal_server.entry.child", "worker"),
        *("--parent", str(os.getpid())),
        env={
            "TOKPORTAL_HOME": str(settings.home),
            "TOKPORTAL_DATABASE_URL": str(settings.database_url),
            "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": "true",
            "TOKPORTAL_LOG_LEVEL": "error",
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def slowly(_: Received) -> web.Response:
    """Answer after a while."""
    await asyncio.sleep(0.3)
    return web.Response()


async def emit_meanwhile(rig: Rig, events: int) -> None:
    """Commit events in small transactions, while the worker lives and dies."""
    for start in range(0, events, 5):
        await rig.commit(min(5, events - start))
        await asyncio.sleep(0)


async def killed_again_and_again(
    rig: Rig, settings: Settings, watched: Receiver, *, events: int, kills: int, seed: int
) -> None:
    """Kill the worker whenever so many requests have come, and start another one."""
    chance = random.Random(seed)
    for moment in sorted(chance.sample(range(2, events), kills)):
        async with worker(settings) as doomed:
            await watched.got(moment)
            doomed.send_signal(signal.SIGKILL)
            assert await doomed.wait() == -signal.SIGKILL
        await rig.execute(LAPSE)


async def settled(rig: Rig, dead: UUID) -> None:
    """Wait until everything is recorded, but for what waits for the dead endpoint."""
    while (await rig.rows(OPEN, dead))[0]["open"]:  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.05)


async def survive(rig: Rig, settings: Settings, *, events: int, kills: int) -> None:
    """Emit to five endpoints (one dead, one slow) under fire, and read what came of it."""
    async with AsyncExitStack() as stack:
        live = [await stack.enter_async_context(receiving()) for _ in range(3)]
        live.append(await stack.enter_async_context(receiving(slowly)))
        endpoints = {(await rig.endpoint(receiver.url)).id: receiver for receiver in live}
        dead = await rig.endpoint(f"http://127.0.0.1:{free_port()}/hooks")
        emitting = asyncio.create_task(emit_meanwhile(rig, events))
        await killed_again_and_again(rig, settings, live[0], events=events, kills=kills, seed=7)
        await emitting
        async with asyncio.timeout(NET), worker(settings):
            await settled(rig, dead.id)
    wanted = {row["id"] for row in await rig.rows("SELECT id FROM events")}
    assert len(wanted) == events
    log = await rig.rows(OUTCOMES)
    duplicates = 0
    for endpoint, receiver in endpoints.items():
        came = Counter(receiver.event_ids)
        assert came.keys() == wanted
        duplicates += came.total() - len(came)
        told = [row["event_id"] for row in log if row["endpoint_id"] == endpoint]
        # One row for each event, and each says that it arrived.
        assert Counter(told) == Counter(wanted)
    assert {row["status"] for row in log if row["endpoint_id"] != dead.id} == {"succeeded"}
    at_dead = [row for row in log if row["endpoint_id"] == dead.id]
    assert {row["event_id"] for row in at_dead} == wanted
    assert {row["status"] for row in at_dead} <= {"failed", "pending"}
    assert {row["error_class"] for row in at_dead} == {"refused", None}
    print(f"{events} events, {kills} kills: {duplicates} came twice")  # noqa: T201 - asked for


@pytest.mark.hazard(19)
async def test_nothing_is_lost_when_the_worker_is_killed(rig: Rig, settings: Settings) -> None:
    await survive(rig, settings, events=120, kills=3)


@pytest.mark.hazard(19)
@pytest.mark.proof
async def test_nothing_of_two_thousand_events_is_lost_in_twenty_kills(
    rig: Rig, settings: Settings
) -> None:
    await survive(rig, settings, events=2000, kills=20)
