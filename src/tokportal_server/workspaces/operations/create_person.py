"""Make a person who may sign in, and a manager out of one."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from tokportal_server.lib.crypto import hash_password
from tokportal_server.lib.db import Connection

INSERT_PERSON = """
INSERT INTO people (id, email, name, password_hash, operator) VALUES ($1, $2, $3, $4, $5)
"""
INSERT_MANAGER = """
INSERT INTO managers (person_id, display_name, countries, platforms, rehearsal_workspace_id)
VALUES ($1, $2, $3, $4, $5)
"""


async def create_person(
    *,
    conn: Connection,
    email: str,
    name: str,
    password: str | None = None,
    operator: bool = False,
) -> UUID:
    """Make a person; give their id. Without a password they cannot sign in."""
    person_id = uuid4()
    hashed = await hash_password(password) if password else None
    await conn.execute(INSERT_PERSON, person_id, email, name, hashed, operator)
    return person_id


async def create_manager(
    *,
    conn: Connection,
    person_id: UUID,
    display_name: str,
    countries: Sequence[str],
    platforms: Sequence[str],
    rehearsal_workspace_id: UUID | None = None,
) -> None:
    """Let a person work as a manager in these countries and platforms.

    With ``rehearsal_workspace_id`` they are simulated and see that workspace's orders alone.
    """
    await conn.execute(
        INSERT_MANAGER, person_id, display_name, countries, platforms, rehearsal_workspace_id
    )
