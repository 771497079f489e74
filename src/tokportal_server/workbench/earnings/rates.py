"""What a finished job pays: the rate of its kind at its time, for its country and platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args
from uuid import UUID

from tokportal_server.lib.db import Connection

JobKind = Literal["account_setup", "video", "video_edit", "story", "comment", "profile_edit"]
KINDS: Final[tuple[JobKind, ...]] = get_args(JobKind)

# The latest row of each place that has begun at $1; one without an amount has ended its exception.
RATES_AT = """
SELECT * FROM (
    SELECT DISTINCT ON (r.kind, r.country, r.platform)
           r.id, r.kind, r.country, r.platform, r.valid_from, r.amount, r.currency, r.reason,
           e.email AS set_by
      FROM earning_rates r LEFT JOIN people e ON e.id = r.set_by
     WHERE r.valid_from <= $1
     ORDER BY r.kind, r.country, r.platform, r.valid_from DESC, r.ordinal DESC
) latest
 WHERE amount IS NOT NULL
 ORDER BY kind, country NULLS FIRST, platform NULLS FIRST
"""
RATE_HISTORY = """
SELECT r.id, r.kind, r.country, r.platform, r.valid_from, r.amount, r.currency, r.reason,
       e.email AS set_by
  FROM earning_rates r LEFT JOIN people e ON e.id = r.set_by
 WHERE $1::text IS NULL OR r.kind = $1
 ORDER BY r.valid_from DESC, r.ordinal DESC LIMIT 500
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a job of ``kind`` pays from ``valid_from`` on, in minor units of ``currency``.

    ``country`` and ``platform`` are None for all of them; ``amount`` is None in a row that ends an
    exception; ``set_by`` is an e-mail address.
    """

    id: UUID
    kind: JobKind
    country: str | None
    platform: str | None
    valid_from: datetime
    amount: int | None
    currency: str
    reason: str | None
    set_by: str | None

    def fits(self, kind: str, country: str, platform: str) -> bool:
        """Say whether the rate is about such a job."""
        there = self.country in (None, country) and self.platform in (None, platform)
        return self.kind == kind and there


async def rates_at(conn: Connection, at: datetime) -> list[Rate]:
    """Give the rates that hold at a time: one for each kind and place that has one."""
    return [Rate(**row) for row in await conn.fetch(RATES_AT, at)]


def pay_for(rates: Sequence[Rate], kind: str, country: str, platform: str) -> Rate | None:
    """Give the rate of a job: that of its country before its platform's, before the general one."""
    fitting = [rate for rate in rates if rate.fits(kind, country, platform)]
    return max(
        fitting,
        key=lambda rate: (rate.country is not None, rate.platform is not None),
        default=None,
    )


async def rate_history(conn: Connection, kind: JobKind | None = None) -> list[Rate]:
    """Give every rate there ever was or is to be, the latest first, at most 500."""
    return [Rate(**row) for row in await conn.fetch(RATE_HISTORY, kind)]
