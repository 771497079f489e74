"""Delivering: claim and commit, send outside any transaction, record behind a fence.

1. Record what finished since the last turn, and claim what is due, as far as there is room in
   flight: one transaction, unless attempts failed, which are recorded in one of their own before.
2. Start sending what was claimed.
3. While much is in flight, wait a moment for half of it to finish, so that a turn records many
   attempts at once; with nothing else to do, wait a little longer.

Attempts live on across turns, so a receiver that hangs delays nobody. A crash between the call and
the record leaves a lease that ends; then the same event is sent again (at least once). Attempts are
on the real clock, their due times on the workspace's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.claim import claim
from tokportal_server.webhooks.record import Result, endpoint_of, is_plain_success, record
from tokportal_server.webhooks.sealing import OpenedSecrets
from tokportal_server.webhooks.sending import Claimed, send

log = structlog.get_logger(__name__)

MAX_IN_FLIGHT = 256
_PATIENCE_SECONDS = 0.05
_GATHER_SECONDS = 0.02
# So few results are recorded at once: each turn costs the database something.
_UNDIVIDED = 40


class Deliverer:
    """Sends due deliveries; any number may run at once, in any number of processes."""

    name = "webhook_deliverer"

    def __init__(self, ports: Ports, *, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._ports = ports
        self._max_in_flight = max_in_flight
        self._flights: set[asyncio.Task[None]] = set()
        self._finished: list[Result] = []
        self._gathered = asyncio.Event()
        self._missing = 0
        self._secrets = OpenedSecrets(ports.vault)

    @property
    def in_flight(self) -> int:
        """How many attempts are being made right now."""
        return len(self._flights)

    async def run_once(self) -> int:
        """Take one turn; give how many attempts it recorded, started or saw finish."""
        await self._gather(len(self._flights) // 2, _GATHER_SECONDS)
        moved = await self._take_turn()
        if moved:
            return moved
        await self._gather(1, _PATIENCE_SECONDS)
        return len(self._finished)

    async def _gather(self, wanted: int, seconds: float) -> None:
        """Wait until so many results are there to be recorded, or so long."""
        missing = wanted - len(self._finished)
        if missing <= 0 or not self._flights:
            return
        self._missing = missing
        self._gathered.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gathered.wait(), seconds)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._missing -= 1
        if self._missing <= 0 or not self._flights:
            self._gathered.set()

    async def drain(self) -> None:
        """Wait for everything in flight, and record it; starts nothing new."""
        while self._flights:
            await asyncio.wait(self._flights)
        await self._record_finished()

    async def _record_finished(self) -> None:
        batch = list(self._finished)
        if not batch:
            return
        async with self._ports.database.connection() as conn:
            await record(conn, batch, commit_later=True)
        # Only now: what could not be recorded is recorded at the next turn.
        del self._finished[: len(batch)]

    async def _take_turn(self) -> int:
        """Record what finished and start what is due; give how many attempts that were."""
        # At most half of what is under way: while the database works on it, the rest is sent.
        under_way = len(self._finished) + len(self._flights)
        batch = self._finished[: max(_UNDIVIDED, (under_way + 1) // 2)]
        room = max(0, self._max_in_flight - len(self._flights))
        if not batch and not room:
            return 0
        succeeded, others = _split(batch)
        async with self._ports.database.connection() as conn:
            if others:
                await record(conn, others, commit_later=True)
            claimed = await claim(conn, most=room, succeeded=succeeded)
        # Only now: what could not be recorded is recorded at the next turn.
        del self._finished[: len(batch)]
        for delivery, sealed in claimed:
            flight = asyncio.create_task(self._attempt(delivery, sealed))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)
        return len(batch) + len(claimed)

    async def _attempt(self, delivery: Claimed, sealed: bytes) -> None:
        try:
            secret = self._secrets.open(
                sealed, workspace_id=delivery.workspace_id, endpoint_id=delivery.endpoint_id
            )
            outcome = await send(self._ports.outbound, delivery, secret=secret)
        except Exception:
            # Nothing is known about this attempt: its lease ends, it counts, and others follow.
            log.exception("webhook_attempt_broke", delivery_id=str(delivery.id))
        else:
            self._finished.append(Result(delivery, outcome))


def _split(results: Sequence[Result]) -> tuple[Sequence[Result], Sequence[Result]]:
    """Divide results into plain successes and those of endpoints with anything else among them.

    What happened to an endpoint is decided in the order in which it happened.
    """
    undecided = {endpoint_of(result) for result in results if not is_plain_success(result)}
    if not undecided:
        return results, ()
    return (
        [result for result in results if endpoint_of(result) not in undecided],
        [result for result in results if endpoint_of(result) in undecided],
    )
