"""Who is calling, and may they: one round trip to ``admit()`` for key, clock and token bucket."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import asyncpg

from tokportal_server.http.errors import (
    ExpiredKeyError,
    InsufficientScopeError,
    InvalidKeyError,
    MissingKeyError,
    RateLimitExceededError,
    RevokedKeyError,
)
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

ADMIT = "SELECT * FROM admit($1, $2, $3, $4)"
_KEY_FORM = re.compile(rb"sk_[0-9a-f]{64}")
_READ_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Caller:
    """An admitted request: whose it is, with which key, and what time it is for them.

    ``now`` is the workspace's clock, ``real_now`` the real one (contract section 2); ``address`` is
    the network address that it came from.
    """

    workspace_id: UUID
    key_id: UUID
    person_id: UUID
    scope: str
    now: datetime
    real_now: datetime
    address: str | None = None

    @property
    def actor(self) -> Actor:
        """The caller as the journal and the ledger know them."""
        return Actor("customer", self.key_id, self.address)


async def admit(
    conn: Connection,
    raw_key: bytes | None,
    settings: Settings,
    headers: dict[str, str],
    *,
    address: str | None = None,
    known: Callable[[Caller], object] | None = None,
) -> Caller:
    """Check the key and take a token; fill ``headers`` with the three of the rate limit.

    ``address`` is where the request came from. ``known`` is told whose key it is as soon as that is
    certain: what is refused for its rate is its workspace's request too.

    Raises:
        MissingKeyError, InvalidKeyError, RevokedKeyError, ExpiredKeyError: 401, no token taken.
        RateLimitExceededError: 429, with the seconds until a token is there.
    """
    if not raw_key:
        raise MissingKeyError(
            "No API key: send it in the X-API-Key header. Keys are made in the console"
            " (Connect, API keys) or by the operator."
        )
    row = await _look_up(conn, raw_key, cost=1, settings=settings)
    if row is None or row["outcome"] == "unknown":
        raise InvalidKeyError("This API key is not known here. Check it, or make a new one.")
    if row["outcome"] == "revoked":
        raise RevokedKeyError("This API key was revoked. Use another key of the workspace.")
    if row["outcome"] == "expired":
        raise ExpiredKeyError("This API key has expired. Extend it in the console or use another.")
    headers.update(_rate_limit_headers(row))
    caller = _caller(row, address)
    if known is not None:
        known(caller)
    if row["outcome"] == "limited":
        wait = max(1, math.ceil((1 - row["remaining"]) / row["refill"]))
        raise RateLimitExceededError(
            f"This key's {int(row['bucket_limit'])} requests are used up; they refill at"
            f" {row['refill']:g} a second. Wait {wait} s.",
            retry_after=wait,
        )
    return caller


async def recognise(conn: Connection, raw_key: bytes | None, settings: Settings) -> Caller | None:
    """For public operations: the caller behind a valid key, else None. Takes no token."""
    row = await _look_up(conn, raw_key, cost=0, settings=settings) if raw_key else None
    return _caller(row) if row is not None and row["outcome"] == "ok" else None


def check_scope(caller: Caller, method: str) -> None:
    """Refuse a method that the key's scope leaves out.

    Raises:
        InsufficientScopeError: 403.
    """
    needed = "read" if method in _READ_METHODS else "write"
    if caller.scope not in ("*", needed):
        raise InsufficientScopeError(
            f"This key's scope is {caller.scope!r}; {method} needs {needed!r} or '*'. Use another"
            " key, or widen this one in the console.",
            details={"scope": caller.scope, "required_scope": needed},
        )


async def _look_up(
    conn: Connection, raw_key: bytes, *, cost: int, settings: Settings
) -> asyncpg.Record | None:
    # A value that cannot be a key is not worth a round trip.
    if not _KEY_FORM.fullmatch(raw_key):
        return None
    return await conn.fetchrow(
        ADMIT,
        sha256(raw_key).digest(),
        cost,
        settings.key_bucket_capacity,
        settings.key_bucket_refill_per_second,
    )


def _caller(row: asyncpg.Record, address: str | None = None) -> Caller:
    return Caller(
        workspace_id=row["workspace_id"],
        key_id=row["key_id"],
        person_id=row["person_id"],
        scope=row["scope"],
        now=row["real_now"] + row["clock_offset"],
        real_now=row["real_now"],
        address=address,
    )


def _rate_limit_headers(row: asyncpg.Record) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(int(row["bucket_limit"])),
        "X-RateLimit-Remaining": str(max(0, math.floor(row["remaining"]))),
        "X-RateLimit-Reset": str(math.ceil(row["full_at"].timestamp())),
    }
