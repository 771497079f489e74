"""Who decides, when the command line is used."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.cli.administration import COMMAND_LINE, AdministrationError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection

FIND_OPERATOR = "SELECT id FROM people WHERE lower(email) = lower($1) AND operator"


async def acting_operator(conn: Connection, email: str | None) -> Actor:
    """Give the operator with an e-mail address; without one, whoever may run the command line."""
    if email is None:
        return COMMAND_LINE
    found: UUID | None = await conn.fetchval(FIND_OPERATOR, email)
    if found is None:
        raise AdministrationError(f"{email} is not the address of an operator.")
    return Actor("operator", found, COMMAND_LINE.address)
