"""Attempts to sign in, as often as is human.

They are counted in token buckets of the database, on the real clock: by e-mail address against
guessing one person's password, by network address against trying one password on many people, by
person against trying codes, and by both kinds of address for mails that somebody asks for.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, existing
from tokportal_server.workspaces.audit import INSTALLATION

TAKE = "SELECT allowed, full_at, remaining FROM take_token($1, $2, $3, 1, $4, $5)"
FORGIVE = "DELETE FROM buckets WHERE workspace_id = $1 AND kind = $2 AND subject_id = $3"
PURGE = """
DELETE FROM buckets WHERE (workspace_id, kind, subject_id) IN (
    SELECT workspace_id, kind, subject_id FROM buckets
     WHERE workspace_id = $1 AND kind = ANY ($2) AND updated_at < now() - interval '1 day'
     LIMIT 1000
)
"""

Kind = Literal["sign_in_email", "sign_in_address", "second_factor", "reset_email", "reset_address"]
# Capacity, and tokens a second: what a person mistypes, and what an office of people does.
_LIMITS: Final[dict[Kind, tuple[float, float]]] = {
    "sign_in_email": (10.0, 1 / 60),
    "sign_in_address": (60.0, 0.5),
    "second_factor": (6.0, 1 / 300),
    "reset_email": (3.0, 1 / 3600),
    "reset_address": (20.0, 1 / 60),
}


async def take_attempt(conn: Connection, kind: Kind, subject: str) -> int | None:
    """Count an attempt; give None, or in how many seconds the next one is possible."""
    capacity, refill = _LIMITS[kind]
    taken = existing(
        await conn.fetchrow(TAKE, INSTALLATION, kind, _subject(subject), capacity, refill)
    )
    if taken["allowed"]:
        return None
    # `full_at` is when the bucket is full; one token is back that much earlier.
    seconds: float = (taken["full_at"] - real_now()).total_seconds() - (capacity - 1) / refill
    return max(1, round(seconds))


async def forgive(conn: Connection, kind: Kind, subject: str) -> None:
    """Forget the attempts of whoever has shown that they are who they say."""
    await conn.execute(FORGIVE, INSTALLATION, kind, _subject(subject))


async def purge_attempts(conn: Connection) -> int:
    """Delete the buckets of a day without attempts: they are full; give how many there were."""
    result = await conn.execute(PURGE, INSTALLATION, list(_LIMITS))
    return int(result.removeprefix("DELETE "))


def _subject(text: str) -> UUID:
    """Name a bucket by a hash: addresses of whoever tried are nobody's to keep."""
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])
