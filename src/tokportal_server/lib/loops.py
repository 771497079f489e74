"""Loops of a worker process: look for work, do it, look again soon; rest a little when idle.

Request transactions send no NOTIFY (it serialises commits), so workers poll: every 20 ms while
there is work, growing to half a second when there is none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge

from tokportal_server.lib.db import UNAVAILABLE, ServiceUnavailableError

log = structlog.get_logger(__name__)

DONE = Counter("tokportal_loop_items", "Things that loops of workers have done.", ["loop"])
FAILED = Counter(
    "tokportal_loop_failures",
    "Turns of loops that failed, also for want of the database.",
    ["loop"],
)
TURNED = Gauge(
    "tokportal_loop_last_turn_timestamp_seconds",
    "When a loop last came to the end of a turn, in any worker.",
    ["loop"],
    multiprocess_mode="max",
)

_SHORTEST = 0.02
_LONGEST = 0.5


class Loop(Protocol):
    """One kind of background work; tests call :meth:`run_once` themselves."""

    name: str

    async def run_once(self) -> int:
        """Do what is there to do now; give how many things were done."""
        ...


class Pace:
    """How often a loop looks for work that nobody waits for; the first look comes at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = float("-inf")

    def is_due(self) -> bool:
        """Say whether it is time to look."""
        return time.monotonic() >= self._next

    def rest(self) -> None:
        """Have the next look when the pace's seconds have passed; without it that is at once."""
        self._next = time.monotonic() + self._seconds


async def run_loops(loops: Sequence[Loop], stop: asyncio.Event) -> None:
    """Run every loop until ``stop`` is set; what is being done then is finished first."""
    await asyncio.gather(*(_run(loop, stop) for loop in loops))


async def _run(loop: Loop, stop: asyncio.Event) -> None:
    rest = _SHORTEST
    while not stop.is_set():
        try:
            done = await loop.run_once()
        except (*UNAVAILABLE, ServiceUnavailableError) as error:
            FAILED.labels(loop.name).inc()
            log.warning("loop_waits_for_the_database", loop=loop.name, error=str(error))
            done, rest = 0, _LONGEST
        except Exception:
            # A loop never ends by an error: what failed stays claimable, and the log says why.
            FAILED.labels(loop.name).inc()
            log.exception("loop_failed", loop=loop.name)
            done, rest = 0, _LONGEST
        else:
            TURNED.labels(loop.name).set_to_current_time()
        if done:
            DONE.labels(loop.name).inc(done)
            rest = _SHORTEST
            # Even a busy loop lets the others have their turn.
            await asyncio.sleep(0)
            continue
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), rest)
        rest = min(rest * 1.5, _LONGEST)
