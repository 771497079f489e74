"""One call, timed against the real clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import TypeVar

import aiohttp

from tokportal_server.lib.outbound.failure import ErrorClass, OutboundFailure, classify

_T = TypeVar("_T")

# The exchange that a socket is made for; the tasks that race to connect inherit it.
CURRENT: ContextVar[Exchange] = ContextVar("exchange")


class Exchange:
    """One call, from its first look-up to the last byte read, redirects included.

    ``within`` awaits something and turns whatever goes wrong, lateness included, into an
    ``OutboundFailure`` of the right class.
    """

    def __init__(self, total_timeout: float) -> None:
        self._started = time.monotonic()
        # Whether a socket was made; if not, the call goes over a connection that was kept.
        self.opened = False
        self._deadline = asyncio.get_running_loop().time() + total_timeout

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds since the call began."""
        return round((time.monotonic() - self._started) * 1000)

    def failure(
        self, error_class: ErrorClass, message: str, *, status: int | None = None, body: bytes = b""
    ) -> OutboundFailure:
        """Give the failure to raise, with the time that passed."""
        return OutboundFailure(
            error_class, message, duration_ms=self.duration_ms, status=status, body=body
        )

    async def within(
        self, step: Awaitable[_T], *, status: int | None = None, body: bytes | bytearray = b""
    ) -> _T:
        """Await ``step`` until the deadline; ``status`` and ``body`` are what arrived so far."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await step
        except (aiohttp.ClientError, OSError) as error:
            error_class, message = classify(error)
            raise self.failure(error_class, message, status=status, body=bytes(body)) from error
