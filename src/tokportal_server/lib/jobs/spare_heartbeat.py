"""Leases go on while a handler blocks the event loop that PGQueuer's heartbeat runs in.

1. The loop notes the time, eight times a lease.
2. A thread looks as often. If the loop has been silent for a quarter of a lease, it renews the
   leases of all jobs that this worker holds, over a connection of its own.
3. A loop that stays blocked is given up after ``_GIVEN_UP_AFTER`` leases: its jobs go to others,
   and its late outcomes meet the fences.

A frozen process (SIGSTOP, a suspended machine) freezes the thread too, so its jobs do go to others.
"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import structlog

from tokportal_server.lib.db import Database

log = structlog.get_logger(__name__)

_LOOKS_PER_LEASE: Final = 8
_SILENT_LOOKS: Final = 2
_GIVEN_UP_AFTER: Final = 20

BEAT_ALL = """
UPDATE pgqueuer SET heartbeat = now() WHERE queue_manager_id = $1 AND status = 'picked'
"""


class SpareHeartbeat:
    """Keeps a worker's leases inside the ``async with``, whatever the event loop does."""

    def __init__(self, database: Database, worker_id: UUID, lease: timedelta) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lease = lease.total_seconds()
        self._step = self._lease / _LOOKS_PER_LEASE
        self._seen = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="spare-heartbeat", daemon=True)

    async def __aenter__(self) -> Self:
        self._ticking = asyncio.create_task(self._tick())
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._ticking.cancel()
        await asyncio.to_thread(self._thread.join)

    async def _tick(self) -> None:
        while True:
            self._seen = time.monotonic()
            await asyncio.sleep(self._step)

    def _watch(self) -> None:
        while not self._ended.wait(self._step):
            silent = time.monotonic() - self._seen
            if silent <= _SILENT_LOOKS * self._step or silent > _GIVEN_UP_AFTER * self._lease:
                continue
            try:
                asyncio.run(self._beat())
            except Exception as error:  # noqa: BLE001 - the thread must outlive any of them
                # The next look tries again; what is lost meanwhile comes back after the lease.
                log.warning("spare_heartbeat_failed", error=str(error))
            else:
                log.warning("event_loop_blocked", seconds=round(silent, 1))

    async def _beat(self) -> None:
        conn = await self._database.connect_aside()
        try:
            await conn.execute(BEAT_ALL, self._worker_id)
        finally:
            await conn.close()
