"""Signing in by e-mail address and password, and a code where the person has a second step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tokportal_server.lib.crypto import hash_password, verify_password
from tokportal_server.lib.db import Connection
from tokportal_server.pages.attempts import Kind, forgive, take_attempt
from tokportal_server.pages.errors import SignInLimitedError, SignInRefusedError
from tokportal_server.pages.second_factor import begin_step, second_factor_of
from tokportal_server.pages.sessions import begin_session

PERSON = "SELECT id, password_hash FROM people WHERE lower(email) = lower($1)"

_LONGEST_PASSWORD = 1000
_REFUSED: Final = "This e-mail address and password do not belong together."
_LIMITED: Final = "There were too many attempts to sign in. Wait a little, then try again."


@dataclass(frozen=True, slots=True)
class Entry:
    """A token for the browser's cookie: of a session, or (``code_wanted``) of the step before."""

    token: str
    code_wanted: bool


async def check_password(conn: Connection, *, email: str, password: str, address: str) -> UUID:
    """Give whose e-mail address and password these are.

    Raises:
        SignInLimitedError: there were too many attempts; nothing was checked.
        SignInRefusedError: nobody has this address and this password.
    """
    await count_attempt(conn, "sign_in_address", address)
    await count_attempt(conn, "sign_in_email", email.lower())
    row = await conn.fetchrow(PERSON, email)
    stored = row["password_hash"] if row else None
    # An unknown address takes as long as a known one, so that time does not tell them apart.
    fits = await verify_password(stored or await _decoy(), password[:_LONGEST_PASSWORD])
    if row is None or stored is None or not fits:
        raise SignInRefusedError(_REFUSED)
    await forgive(conn, "sign_in_email", email.lower())
    person_id: UUID = row["id"]
    return person_id


async def enter(conn: Connection, person_id: UUID, *, user_agent: str, address: str) -> Entry:
    """Let somebody in whose password was right, or have them asked for a code first."""
    if await second_factor_of(conn, person_id) is not None:
        return Entry(await begin_step(conn, person_id), code_wanted=True)
    token = await begin_session(conn, person_id, user_agent=user_agent, address=address)
    return Entry(token, code_wanted=False)


async def count_attempt(conn: Connection, kind: Kind, subject: str) -> None:
    """Count an attempt.

    Raises:
        SignInLimitedError: there were too many of them.
    """
    wait = await take_attempt(conn, kind, subject)
    if wait is not None:
        raise SignInLimitedError(_LIMITED, retry_after=wait)


_DECOYS: Final[list[str]] = []


async def _decoy() -> str:
    """Give the hash of a password that nobody has, made once."""
    if not _DECOYS:
        _DECOYS.append(await hash_password("nobody's password"))
    return _DECOYS[0]
