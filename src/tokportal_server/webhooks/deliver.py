"""Delivering: claim and commit, send outside any transaction, record behind a fence.

1. Record what finished since the last turn, in one transaction.
2. Claim what is due, as far as there is room in flight, and start sending it.
3. With nothing else to do, wait a moment for something in flight to finish.

Attempts live on across turns, so a receiver that hangs delays nobody. A crash between the call and
the record leaves a lease that ends; then the same event is sent again (at least once). Attempts are
on the real clock, their due times on the workspace's.
"""

from __future__ import annotations

import asyncio

import structlog

from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.claim import claim
from tokportal_server.webhooks.record import Result, record
from tokportal_server.webhooks.sealing import open_secret
from tokportal_server.webhooks.sending import Claimed, send

log = structlog.get_logger(__name__)

MAX_IN_FLIGHT = 256
_PATIENCE_SECONDS = 0.05


class Deliverer:
    """Sends due deliveries; any number may run at once, in any number of processes."""

    name = "webhook_deliverer"

    def __init__(self, ports: Ports, *, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._ports = ports
        self._max_in_flight = max_in_flight
        self._flights: set[asyncio.Task[None]] = set()
        self._finished: list[Result] = []

    @property
    def in_flight(self) -> int:
        """How many attempts are being made right now."""
        return len(self._flights)

    async def run_once(self) -> int:
        """Take one turn; give how many attempts it recorded, started or saw finish."""
        recorded = await self._record_finished()
        started = await self._start_due()
        if recorded or started:
            return recorded + started
        if self._flights:
            await asyncio.wait(
                self._flights, timeout=_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        return len(self._finished)

    async def drain(self) -> None:
        """Wait for everything in flight, and record it; starts nothing new."""
        while self._flights:
            await asyncio.wait(self._flights)
        await self._record_finished()

    async def _record_finished(self) -> int:
        batch = list(self._finished)
        if not batch:
            return 0
        async with self._ports.database.connection() as conn:
            await record(conn, batch)
        # Only now: what could not be recorded is recorded at the next turn.
        del self._finished[: len(batch)]
        return len(batch)

    async def _start_due(self) -> int:
        room = self._max_in_flight - len(self._flights)
        if room <= 0:
            return 0
        async with self._ports.database.connection() as conn:
            claimed = await claim(conn, most=room)
        for delivery, sealed in claimed:
            flight = asyncio.create_task(self._attempt(delivery, sealed))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        return len(claimed)

    async def _attempt(self, delivery: Claimed, sealed: bytes) -> None:
        try:
            secret = open_secret(
                self._ports.vault,
                sealed,
                workspace_id=delivery.workspace_id,
                endpoint_id=delivery.endpoint_id,
            )
            outcome = await send(self._ports.outbound, delivery, secret=secret)
        except Exception:
            # Nothing is known about this attempt: its lease ends, it counts, and others follow.
            log.exception("webhook_attempt_broke", delivery_id=str(delivery.id))
        else:
            self._finished.append(Result(delivery, outcome))
