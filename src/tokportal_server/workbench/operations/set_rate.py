"""The operator sets what managers earn by a finished job, from a time on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.earnings.money import MOST, money
from tokportal_server.workbench.earnings.rates import KINDS
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

# Two changes at once queue up, and the later one is later by its time as well.
LOCK_RATES = "SELECT pg_advisory_xact_lock(hashtextextended('earning_rates', 0))"
SET = """
INSERT INTO earning_rates (kind, country, platform, valid_from, amount, currency, reason, set_by)
VALUES ($1, $2, $3, COALESCE($4, clock_timestamp()), $5, $6, $7, $8) RETURNING id
"""
KNOWN = """
SELECT $1::text IS NULL OR EXISTS (SELECT FROM countries WHERE code = $1) AS country,
       $2::text IS NULL OR EXISTS (SELECT FROM platforms WHERE code = $2) AS platform
"""
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRate:
    """What a job of ``kind`` is to pay, in minor units of ``currency``.

    Without country or platform it is for all of them. ``amount`` None ends an exception for a
    country or a platform: the more general rate holds there again. ``valid_from`` None is now.
    """

    kind: str
    amount: int | None
    currency: str
    country: str | None = None
    platform: str | None = None
    valid_from: datetime | None = None
    reason: str | None = None


async def set_rate(*, conn: Connection, actor: Actor, rate: NewRate) -> UUID:
    """Set a rate; jobs that are finished before it begins keep theirs. Give its id.

    Raises:
        ValidationError: there is no such kind, country, platform or currency; the amount is out of
            its bounds; or it would begin in the past, where jobs have been paid already.
    """
    known = await conn.fetchrow(KNOWN, rate.country, rate.platform)
    problems = list(_problems(rate))
    if known is not None:
        problems += [
            Problem(name, "is not known here", getattr(rate, name))
            for name in ("country", "platform")
            if not known[name]
        ]
    refuse(problems)
    async with conn.transaction():
        await conn.execute(LOCK_RATES)
        made: UUID = await conn.fetchval(
            SET,
            rate.kind,
            rate.country,
            rate.platform,
            rate.valid_from,
            rate.amount,
            rate.currency,
            rate.reason,
            actor.id,
        )
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="earnings.rate",
            subject=("rate", made),
            actor=actor,
            reason=rate.reason,
            details=_details(rate),
        )
    return made


def _problems(rate: NewRate) -> Iterator[Problem]:
    if rate.kind not in KINDS:
        yield Problem("kind", f"there is no such job; there are {', '.join(KINDS)}", rate.kind)
    if rate.amount is None and rate.country is None and rate.platform is None:
        yield Problem("amount", "is required; only an exception for a place can be ended")
    if rate.amount is not None and not 0 <= rate.amount <= MOST:
        yield Problem("amount", f"must be 0 to {MOST} minor units", rate.amount)
    if not _CURRENCY.fullmatch(rate.currency):
        yield Problem("currency", "must be three capital letters, such as USD", rate.currency)
    if rate.valid_from is not None and rate.valid_from < real_now():
        problem = "must not be in the past: jobs that were finished since have been paid"
        yield Problem("valid_from", problem, rate.valid_from.isoformat())
    if rate.reason is not None and len(rate.reason) > _LONGEST_REASON:
        yield Problem("reason", f"must be at most {_LONGEST_REASON} characters long")


def _details(rate: NewRate) -> dict[str, object]:
    return {
        "kind": rate.kind,
        "country": rate.country,
        "platform": rate.platform,
        "pays": None if rate.amount is None else money(rate.amount, rate.currency),
        "valid_from": None if rate.valid_from is None else rate.valid_from.isoformat(),
    }
