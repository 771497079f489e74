"""A worker that was frozen for two leases and wakes up can neither acknowledge nor take effect."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AbstractAsyncContextManager

import pytest

from tests.client import Client
from tests.hazards.fetch_worker import LEASE
from tests.lib.outbound_rig import receiver
from tests.lib.processes import environment, worker_process
from tests.lib.waiting import until_found
from tests.orders.walk import PROFILE, ordered
from tests.uploads import media
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

STATE = "SELECT status, attempts, upload_id FROM media"
IS_READY = "SELECT count(*) = 1 FROM media WHERE status = 'ready'"
JOBS = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'fetch_media'"


class TwoFaced:
    """Keeps the second half of a photo from whoever asks first, until it is let go."""

    def __init__(self) -> None:
        self.photo = media.jpeg()
        self.asked = 0
        self.first = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, _head: bytes, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        half = len(self.photo) // 2 if self.asked == 1 else len(self.photo)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.photo))
        writer.write(self.photo[:half])
        await writer.drain()
        if self.asked == 1:
            self.first.set()
            await self.let_go.wait()
            writer.write(self.photo[half:])
            await writer.drain()


def fetching(settings: Settings) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Run a worker process that fetches media."""
    return worker_process(
        "tests.hazards.fetch_worker",
        env=environment(
            TOKPORTAL_HOME=str(settings.home),
            TOKPORTAL_DATABASE_URL=str(settings.database_url),
            TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK="true",
        ),
    )


@pytest.mark.hazard(3)
async def test_the_late_effect_of_a_frozen_worker_changes_no_row(
    alice: Client, conn: Connection, settings: Settings
) -> None:
    bundle, site = await ordered(alice), TwoFaced()
    async with receiver(site) as port:
        url = f"http://127.0.0.1:{port}/a.jpg"
        wanted = {**PROFILE, "profile_picture_url": url}
        reply = await alice.put(f"/bundles/{bundle}/account", wanted)
        assert reply.status == 200, reply.body
        async with fetching(settings) as frozen:
            await asyncio.wait_for(site.first.wait(), 60)
            frozen.send_signal(signal.SIGSTOP)
            async with fetching(settings):
                # Two leases are the fact that is tested here, not a wait for something to happen.
                await asyncio.sleep(2 * LEASE.total_seconds())
                await until_found(conn, IS_READY)
                await until_found(conn, f"SELECT ({JOBS}) = 0")
            before = dict(await conn.fetchrow(STATE) or ())
            assert before["attempts"] == 2
            # Awake, it finds the rest of its download waiting and goes on to the end.
            site.let_go.set()
            frozen.send_signal(signal.SIGCONT)
            frozen.send_signal(signal.SIGTERM)
            assert await frozen.wait() == 0
    assert dict(await conn.fetchrow(STATE) or ()) == before
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1
    assert await conn.fetchval(JOBS) == 0
    # What the late one had stored is gone again.
    stored = [file for file in (settings.home / "media").rglob("*") if file.is_file()]
    assert len(stored) == 1
