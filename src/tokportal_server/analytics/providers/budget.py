"""How often a platform's API is called: one budget for all processes, and pauses it asked for.

The budget is a token bucket in the database, so it is exact over any number of processes. A
platform that says that a limit is near or reached is not called again until the pause is over.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from tokportal_server.analytics.observations import ProviderFailedError, Source
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database, existing
from tokportal_server.workspaces.audit import INSTALLATION

# Seconds that a call waits for its turn, where somebody waits for the refresh.
PATIENCE: Final = 15.0
_MINUTE: Final = 60.0

PAUSED = "SELECT until, reason FROM provider_pauses WHERE provider = $1 AND until > now()"
PAUSE = """
INSERT INTO provider_pauses AS p (provider, until, reason) VALUES ($1, now() + $2, $3)
ON CONFLICT (provider) DO UPDATE
   SET until = GREATEST(p.until, excluded.until), reason = excluded.reason
"""
TAKE = "SELECT allowed, remaining FROM take_token($1, 'provider', $2, 1, $3, $4)"


@dataclass(frozen=True, slots=True)
class Budget:
    """The calls that may be made to one provider; ``per_minute`` is its setting.

    ``patience`` is how many seconds a call waits for its turn.
    """

    database: Database
    source: Source
    per_minute: int
    patience: float = PATIENCE

    async def take(self) -> None:
        """Wait for the turn of one call.

        Raises:
            ProviderFailedError: the provider is paused, or its budget is used up for now.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.patience
        while True:
            async with self.database.connection() as conn:
                await self._refuse_paused(conn)
                missing = await self._missing(conn)
            if missing <= 0:
                return
            if loop.time() + missing > give_up_at:
                raise ProviderFailedError(
                    self.source,
                    f"this server makes at most {self.per_minute} calls a minute to the platform,"
                    " and all of them are taken; try again in a minute",
                    retryable=True,
                )
            await asyncio.sleep(missing)

    async def pause(self, length: timedelta, reason: str) -> None:
        """Have nobody call this provider for a while; ``reason`` is for the customer."""
        async with self.database.connection() as conn:
            await conn.execute(PAUSE, self.source, length, reason)

    async def _refuse_paused(self, conn: Connection) -> None:
        row = await conn.fetchrow(PAUSED, self.source)
        if row is None:
            return
        minutes = math.ceil((row["until"] - real_now()).total_seconds() / _MINUTE)
        raise ProviderFailedError(
            self.source, f"{row['reason']}; it is called again in {minutes} min", retryable=True
        )

    async def _missing(self, conn: Connection) -> float:
        """Take a token; give the seconds until there is one, 0 if one was taken."""
        refill = self.per_minute / _MINUTE
        capacity = max(1.0, self.per_minute / 4)
        row = existing(
            await conn.fetchrow(TAKE, INSTALLATION, _subject(self.source), capacity, refill)
        )
        return 0.0 if row["allowed"] else (1.0 - row["remaining"]) / refill


def _subject(source: Source) -> UUID:
    """Give the id under which a provider's bucket is kept."""
    return uuid5(NAMESPACE_URL, f"tokportal:provider:{source}")
