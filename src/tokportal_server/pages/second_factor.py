"""The second step of signing in: codes of an authenticator app (RFC 6238), and recovery codes.

The shared secret is sealed with the vault key. Codes of the period before and after the current one
are taken too, for clocks that differ; a period's code is taken once. Tries are counted for each
person, so that codes cannot be tried one after the other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.crypto import Vault, verify_password
from tokportal_server.lib.db import Connection
from tokportal_server.pages.attempts import forgive, take_attempt
from tokportal_server.pages.errors import CodeLimitedError, CodeRefusedError, SignInRefusedError
from tokportal_server.pages.sessions import hashed
from tokportal_server.pages.texts import text
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

BEGIN = """
INSERT INTO second_factors (person_id, secret_sealed) VALUES ($1, $2)
    ON CONFLICT (person_id) DO UPDATE SET secret_sealed = excluded.secret_sealed,
                                          created_at = now()
 WHERE second_factors.confirmed_at IS NULL
"""
FIND = "SELECT secret_sealed, confirmed_at, last_step FROM second_factors WHERE person_id = $1"
STATE = """
SELECT f.confirmed_at,
       (SELECT count(*) FROM recovery_codes c
         WHERE c.person_id = f.person_id AND c.used_at IS NULL) AS codes_left
  FROM second_factors f WHERE f.person_id = $1 AND f.confirmed_at IS NOT NULL
"""
# Of two who use one code at once, the second changes no row.
USE_STEP = """
UPDATE second_factors SET last_step = $2, confirmed_at = COALESCE(confirmed_at, now())
 WHERE person_id = $1 AND last_step < $2
"""
USE_RECOVERY = """
UPDATE recovery_codes SET used_at = now()
 WHERE person_id = $1 AND code_hash = $2 AND used_at IS NULL
"""
KEEP_RECOVERY = """
INSERT INTO recovery_codes (person_id, code_hash) SELECT $1, * FROM unnest($2::bytea[])
"""
REMOVE = "DELETE FROM second_factors WHERE person_id = $1"
PASSWORD = "SELECT password_hash FROM people WHERE id = $1"  # noqa: S105 - a statement
STEP = """
INSERT INTO sign_in_steps (token_hash, person_id, expires_at)
VALUES ($1, $2, now() + $3::interval)
"""
STEP_OF = "SELECT person_id FROM sign_in_steps WHERE token_hash = $1 AND expires_at > now()"
END_STEPS = "DELETE FROM sign_in_steps WHERE person_id = $1"
PURGE = """
DELETE FROM sign_in_steps WHERE token_hash IN (
    SELECT token_hash FROM sign_in_steps WHERE expires_at < now() LIMIT 1000
)
"""
# A set-up that nobody finished.
PURGE_BEGUN = """
DELETE FROM second_factors WHERE person_id IN (
    SELECT person_id FROM second_factors
     WHERE confirmed_at IS NULL AND created_at < now() - interval '1 day' LIMIT 1000
)
"""

PERIOD: Final = 30
DIGITS: Final = 6
_SECRET_BYTES = 20
_RECOVERY_CODES = 10
_BETWEEN_STEPS = timedelta(minutes=10)
# Letters and digits that nobody takes for one another.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What goes into the app: ``key`` to type in, ``address`` for the picture."""

    key: str
    address: str


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A second step that is on."""

    confirmed_at: datetime
    codes_left: int


def factor_context(person_id: UUID) -> str:
    """Name what a sealed secret is bound to."""
    return f"second_factors {person_id}"


async def second_factor_of(conn: Connection, person_id: UUID) -> SecondFactor | None:
    """Give a person's second step, or None if signing in takes the password alone."""
    row = await conn.fetchrow(STATE, person_id)
    return None if row is None else SecondFactor(**row)


async def begin_enrolment(conn: Connection, vault: Vault, *, person_id: UUID) -> None:
    """Make a secret; it counts for nothing until a code has confirmed it. One that is on stays."""
    sealed = vault.seal(secrets.token_bytes(_SECRET_BYTES), context=factor_context(person_id))
    await conn.execute(BEGIN, person_id, sealed)


async def enrolment_of(
    conn: Connection, vault: Vault, *, person_id: UUID, email: str
) -> Enrolment | None:
    """Give what an unconfirmed secret is set up with; None if none was begun, or it is on."""
    row = await conn.fetchrow(FIND, person_id)
    if row is None or row["confirmed_at"] is not None:
        return None
    secret = vault.open(row["secret_sealed"], context=factor_context(person_id))
    address = _totp(secret).get_provisioning_uri(email, text("app.name"))
    return Enrolment(base64.b32encode(secret).decode().rstrip("="), address)


async def confirm_enrolment(
    conn: Connection, vault: Vault, *, person_id: UUID, code: str, actor: Actor
) -> list[str]:
    """Turn the second step on; give the recovery codes, which nobody can read again.

    Raises:
        CodeRefusedError, CodeLimitedError: the app's code is wrong, or too many were tried.
    """
    await _count(conn, person_id)
    made = [_new_code() for _ in range(_RECOVERY_CODES)]
    async with conn.transaction():
        if not await _use_app_code(conn, vault, person_id, code):
            raise CodeRefusedError(text("code.wrong"))
        await conn.execute(KEEP_RECOVERY, person_id, [_code_hash(one) for one in made])
        await _note(conn, "person.second_factor_on", person_id, actor)
    await forgive(conn, "second_factor", str(person_id))
    return made


async def check_code(
    conn: Connection, vault: Vault, *, person_id: UUID, code: str, actor: Actor
) -> None:
    """Use up a code of the app, or a recovery code.

    Raises:
        CodeRefusedError, CodeLimitedError: it is wrong or was used, or too many were tried.
    """
    await _count(conn, person_id)
    async with conn.transaction():
        if not await _use_app_code(conn, vault, person_id, code):
            used = await conn.execute(USE_RECOVERY, person_id, _code_hash(code))
            if used != "UPDATE 1":
                raise CodeRefusedError(text("code.wrong"))
            await _note(conn, "person.recovery_code", person_id, actor)
    await forgive(conn, "second_factor", str(person_id))


async def remove_own_factor(
    conn: Connection, *, person_id: UUID, password: str, actor: Actor
) -> None:
    """Turn one's own second step off.

    Raises:
        SignInRefusedError: the password is wrong.
        CodeLimitedError: too many were tried.
    """
    await _count(conn, person_id)
    if not await verify_password(await conn.fetchval(PASSWORD, person_id) or "", password):
        raise SignInRefusedError(text("factor.wrong_password"))
    await remove_factor(conn, person_id=person_id, actor=actor)


async def remove_factor(
    conn: Connection, *, person_id: UUID, actor: Actor, reason: str | None = None
) -> None:
    """Turn a person's second step off: their own act, or an operator's for a lost phone."""
    async with conn.transaction():
        if await conn.execute(REMOVE, person_id) == "DELETE 1":
            await _note(conn, "person.second_factor_off", person_id, actor, reason)


async def begin_step(conn: Connection, person_id: UUID) -> str:
    """Remember that the password was right; give the token by which the code is asked for."""
    token = secrets.token_urlsafe(32)
    await conn.execute(STEP, hashed(token), person_id, _BETWEEN_STEPS)
    return token


async def person_between_steps(conn: Connection, token: str) -> UUID | None:
    """Give who has still to give a code, or None if there is nobody (any more)."""
    person_id: UUID | None = await conn.fetchval(STEP_OF, hashed(token))
    return person_id


async def end_steps(conn: Connection, person_id: UUID) -> None:
    """Forget the passwords that were given before the code."""
    await conn.execute(END_STEPS, person_id)


async def purge_second_factors(conn: Connection) -> int:
    """Delete steps and set-ups that nobody finished; give how many there were."""
    steps, begun = await conn.execute(PURGE), await conn.execute(PURGE_BEGUN)
    return sum(int(result.removeprefix("DELETE ")) for result in (steps, begun))


async def _count(conn: Connection, person_id: UUID) -> None:
    wait = await take_attempt(conn, "second_factor", str(person_id))
    if wait is not None:
        raise CodeLimitedError(text("code.limited"), retry_after=wait)


async def _use_app_code(conn: Connection, vault: Vault, person_id: UUID, code: str) -> bool:
    row = await conn.fetchrow(FIND, person_id)
    typed = "".join(code.split())
    if row is None or not (typed.isascii() and typed.isdigit()):
        return False
    totp = _totp(vault.open(row["secret_sealed"], context=factor_context(person_id)))
    current = int(real_now().timestamp()) // PERIOD
    # All three are looked at, so that the time it takes says nothing about which one it was.
    fitting = [
        step
        for step in (current - 1, current, current + 1)
        if hmac.compare_digest(totp.generate(step * PERIOD), typed.encode())
    ]
    return bool(fitting) and await conn.execute(USE_STEP, person_id, fitting[-1]) == "UPDATE 1"


def _totp(secret: bytes) -> TOTP:
    # SHA-1 and six digits are what every app can do; the secret has 160 bits.
    return TOTP(secret, DIGITS, SHA1(), PERIOD)  # noqa: S303 - HMAC needs no collision resistance


def _new_code() -> str:
    letters = [secrets.choice(_ALPHABET) for _ in range(12)]
    return "-".join("".join(letters[at : at + 4]) for at in (0, 4, 8))


def _code_hash(code: str) -> bytes:
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode()).digest()


async def _note(
    conn: Connection, action: str, person_id: UUID, actor: Actor, reason: str | None = None
) -> None:
    await write_audit(
        conn,
        workspace_id=INSTALLATION,
        action=action,
        subject=("person", person_id),
        actor=actor,
        reason=reason,
    )
