"""Links by which a person chooses a password: for an invitation, or when it was forgotten.

A link is an address with 256 random bits, of which the hash is stored. It works once, within a few
days. Whoever makes it hands it over, or has it mailed where there is a mail server.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.crypto import hash_password
from tokportal_server.lib.db import Connection
from tokportal_server.lib.mail import Mailer
from tokportal_server.lib.ports import Ports
from tokportal_server.pages.errors import LinkSpentError
from tokportal_server.pages.mails import mail_link
from tokportal_server.pages.sessions import end_sessions, hashed
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

Purpose = Literal["invitation", "password_reset"]

VALID: Final[dict[Purpose, timedelta]] = {
    "invitation": timedelta(days=7),
    "password_reset": timedelta(days=1),
}
SHORTEST: Final = 10
LONGEST: Final = 1000

MAKE = """
INSERT INTO person_links (token_hash, person_id, purpose, expires_at)
VALUES ($1, $2, $3, now() + $4::interval)
"""
FIND = """
SELECT l.person_id, l.purpose, p.name, p.email
  FROM person_links l JOIN people p ON p.id = l.person_id
 WHERE l.token_hash = $1 AND l.expires_at > now()
"""
PERSON = "SELECT id, name, email FROM people WHERE lower(email) = lower($1)"
# Two who use one link at once: the second finds it gone.
SPEND = "DELETE FROM person_links WHERE token_hash = $1 AND expires_at > now() RETURNING person_id"
VOID = "DELETE FROM person_links WHERE person_id = $1"
SET_PASSWORD = "UPDATE people SET password_hash = $2 WHERE id = $1"  # noqa: S105 - a statement
PURGE = """
DELETE FROM person_links WHERE token_hash IN (
    SELECT token_hash FROM person_links WHERE expires_at < now() LIMIT 1000
)
"""


@dataclass(frozen=True, slots=True)
class Invited:
    """Whose password a link is for."""

    person_id: UUID
    purpose: Purpose
    name: str
    email: str


async def make_link(
    conn: Connection, person_id: UUID, purpose: Purpose, *, origin: str, actor: Actor
) -> str:
    """Make a one-time link; give its address, which is itself the right to choose the password."""
    token = secrets.token_urlsafe(32)
    async with conn.transaction():
        await conn.execute(MAKE, hashed(token), person_id, purpose, VALID[purpose])
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action=f"person.{purpose}",
            subject=("person", person_id),
            actor=actor,
        )
    # As a parameter: paths are logged, what stands after the question mark is not.
    return f"{origin}/password?link={token}"


async def mail_reset_link(conn: Connection, ports: Ports, *, email: str) -> None:
    """Mail a link for a new password to whoever has an address; nothing if nobody has it."""
    row = await conn.fetchrow(PERSON, email)
    if row is None or Mailer.of(ports.settings) is None:
        return
    actor = Actor("customer", row["id"])
    origin = ports.settings.origin()
    link = await make_link(conn, row["id"], "password_reset", origin=origin, actor=actor)
    await mail_link(conn, ports, "password_reset", to=row["email"], link=link, about=row["name"])


async def find_link(conn: Connection, token: str) -> Invited:
    """Give whom a link is for, without using it up.

    Raises:
        LinkSpentError: it was used, has expired, or there never was such a link.
    """
    row = await conn.fetchrow(FIND, hashed(token))
    if row is None:
        raise _spent()
    return Invited(**row)


async def choose_password(conn: Connection, token: str, password: str) -> UUID:
    """Use a link up: set the password, sign the person out everywhere, void their other links.

    Gives the person's id.

    Raises:
        LinkSpentError: the link does not work (any more).
        ValidationError: the password is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        refuse([Problem("password", f"must be {SHORTEST} to {LONGEST} characters long")])
    # Before the transaction, which would wait for it.
    stored = await hash_password(password)
    async with conn.transaction():
        person_id: UUID | None = await conn.fetchval(SPEND, hashed(token))
        if person_id is None:
            raise _spent()
        await conn.execute(SET_PASSWORD, person_id, stored)
        await conn.execute(VOID, person_id)
        await end_sessions(conn, person_id)
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="person.choose_password",
            subject=("person", person_id),
            actor=Actor("customer", person_id),
        )
    return person_id


async def purge_links(conn: Connection) -> int:
    """Delete links that have expired, at most a thousand; give how many there were."""
    return int((await conn.execute(PURGE)).removeprefix("DELETE "))


def _spent() -> LinkSpentError:
    return LinkSpentError(
        "This link has been used, or its time is over. Ask the operator for another."
    )
