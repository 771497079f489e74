"""Signing in by e-mail address and password, as often as is human.

Attempts are counted in token buckets of the database, on the real clock: by e-mail address against
guessing one person's password, by network address against trying one password on many people.
"""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.crypto import hash_password, verify_password
from tokportal_server.lib.db import Connection, existing
from tokportal_server.pages.errors import SignInLimitedError, SignInRefusedError
from tokportal_server.pages.sessions import begin_session
from tokportal_server.workspaces.audit import INSTALLATION

PERSON = "SELECT id, password_hash FROM people WHERE lower(email) = lower($1)"
TAKE = "SELECT allowed, full_at, remaining FROM take_token($1, $2, $3, 1, $4, $5)"
FORGIVE = "DELETE FROM buckets WHERE workspace_id = $1 AND kind = $2 AND subject_id = $3"
PURGE = """
DELETE FROM buckets WHERE (workspace_id, kind, subject_id) IN (
    SELECT workspace_id, kind, subject_id FROM buckets
     WHERE workspace_id = $1 AND kind = ANY ($2) AND updated_at < now() - interval '1 day'
     LIMIT 1000
)
"""

BY_EMAIL: Final = "sign_in_email"
BY_ADDRESS: Final = "sign_in_address"
# Capacity, and tokens a second: what a person mistypes, and what an office of people does.
_LIMITS: Final = {BY_EMAIL: (10.0, 1 / 60), BY_ADDRESS: (60.0, 0.5)}
_LONGEST_PASSWORD = 1000
_REFUSED: Final = "This e-mail address and password do not belong together."


async def sign_in(
    conn: Connection, *, email: str, password: str, address: str, user_agent: str
) -> str:
    """Check a password; give the token of a new session.

    Raises:
        SignInLimitedError: there were too many attempts; nothing was checked.
        SignInRefusedError: nobody has this address and this password.
    """
    await _count(conn, BY_ADDRESS, address)
    await _count(conn, BY_EMAIL, email.lower())
    row = await conn.fetchrow(PERSON, email)
    stored = row["password_hash"] if row else None
    # An unknown address takes as long as a known one, so that time does not tell them apart.
    fits = await verify_password(stored or await _decoy(), password[:_LONGEST_PASSWORD])
    if row is None or stored is None or not fits:
        raise SignInRefusedError(_REFUSED)
    await conn.execute(FORGIVE, INSTALLATION, BY_EMAIL, _subject(email.lower()))
    return await begin_session(conn, row["id"], user_agent=user_agent, address=address)


async def purge_attempts(conn: Connection) -> int:
    """Delete the buckets of a day without attempts: they are full; give how many there were."""
    result = await conn.execute(PURGE, INSTALLATION, list(_LIMITS))
    return int(result.removeprefix("DELETE "))


async def _count(conn: Connection, kind: str, subject: str) -> None:
    capacity, refill = _LIMITS[kind]
    taken = existing(
        await conn.fetchrow(TAKE, INSTALLATION, kind, _subject(subject), capacity, refill)
    )
    if not taken["allowed"]:
        # `full_at` is when the bucket is full; one token is back that much earlier.
        seconds = (taken["full_at"] - real_now()).total_seconds() - (capacity - 1) / refill
        raise SignInLimitedError(
            "There were too many attempts to sign in. Wait a little, then try again.",
            retry_after=max(1, round(seconds)),
        )


def _subject(text: str) -> UUID:
    """Name a bucket by a hash: addresses of whoever tried are nobody's to keep."""
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


_DECOYS: Final[list[str]] = []


async def _decoy() -> str:
    """Give the hash of a password that nobody has, made once."""
    if not _DECOYS:
        _DECOYS.append(await hash_password("nobody's password"))
    return _DECOYS[0]
