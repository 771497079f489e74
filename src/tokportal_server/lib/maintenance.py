"""Maintenance: while it lasts nobody writes, and workers take nothing new up.

One row of ``kill_switches`` says so. Each process reads it at most every two seconds, with a
connection that it has in hand anyway, so a request costs nothing more; and so the switch has taken
effect everywhere two seconds after it was thrown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import UNAVAILABLE, Connection, Database, ServiceUnavailableError
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.loops import Loop

ON = "SELECT reason, until FROM kill_switches WHERE scope = 'maintenance'"
FRESH_SECONDS: Final = 2.0
# What callers wait who are told no end, or one that has passed; and the longest that they are told.
_WAIT: Final = 60
_LONGEST_WAIT: Final = 3600


class MaintenanceError(ApiError):
    """The server is under maintenance: it can be read, and nothing was written.

    ``details.maintenance`` has the ``reason`` and ``until`` when it is expected to last, or null.
    """

    code = "SERVICE_UNAVAILABLE"
    status = 503
    remedy = (
        "Nobody: send the same request again after `Retry-After`. If it lasts, tell the operator."
    )


@dataclass(frozen=True, slots=True)
class Notice:
    """Why nothing can be written, and until when that is expected to last, in real time."""

    reason: str
    until: datetime | None

    def refusal(self) -> MaintenanceError:
        """Give the refusal of a write."""
        ends = "" if self.until is None else f" It is expected to end at {self.until:%H:%M} UTC."
        return MaintenanceError(
            f"The server is under maintenance ({self.reason}); reading works, writing does not."
            f"{ends} Nothing was changed: send the same request again later.",
            details={
                "maintenance": {
                    "reason": self.reason,
                    "until": None if self.until is None else self.until.isoformat(),
                }
            },
            retry_after=self._seconds(),
        )

    def _seconds(self) -> int:
        left = 0 if self.until is None else int((self.until - real_now()).total_seconds()) + 1
        return min(left, _LONGEST_WAIT) if left > 0 else _WAIT


class Maintenance:
    """What one process knows of it; one per process."""

    def __init__(self) -> None:
        self._read_at = float("-inf")
        self.notice: Notice | None = None

    async def look(self, conn: Connection) -> Notice | None:
        """Give what is on, read now if what is known is older than two seconds."""
        if time.monotonic() - self._read_at >= FRESH_SECONDS:
            self._read_at = time.monotonic()
            row = await conn.fetchrow(ON)
            self.notice = None if row is None else Notice(row["reason"], row["until"])
        return self.notice

    async def refuse_writes(self, conn: Connection) -> None:
        """Refuse to write anything while it is on.

        Raises:
            MaintenanceError: it is.
        """
        notice = await self.look(conn)
        if notice is not None:
            raise notice.refusal()

    def forget(self) -> None:
        """Read anew at the next look: this process has thrown the switch itself."""
        self._read_at = float("-inf")

    async def is_on(self, database: Database) -> bool:
        """Say whether it is on; without the database what was known last stands."""
        if time.monotonic() - self._read_at >= FRESH_SECONDS:
            with suppress(*UNAVAILABLE, ServiceUnavailableError):
                async with database.connection() as conn:
                    await self.look(conn)
        return self.notice is not None

    async def changed(self, database: Database, *, on: bool) -> None:
        """Return when it is on, or off."""
        # Another process throws the switch: there is nothing to wait for but time.
        while await self.is_on(database) is not on:  # noqa: ASYNC110
            await asyncio.sleep(FRESH_SECONDS)


class Resting:
    """A loop of a worker that does nothing during maintenance; ``settle`` ends what is under way.

    A turn that has begun is finished.
    """

    def __init__(
        self,
        loop: Loop,
        maintenance: Maintenance,
        database: Database,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name = loop.name
        self._loop = loop
        self._maintenance = maintenance
        self._database = database
        self._settle = settle
        self._rests = False

    async def run_once(self) -> int:
        """Take the loop's turn, unless there is maintenance."""
        if not await self._maintenance.is_on(self._database):
            self._rests = False
            return await self._loop.run_once()
        if not self._rests and self._settle is not None:
            await self._settle()
        self._rests = True
        return 0
