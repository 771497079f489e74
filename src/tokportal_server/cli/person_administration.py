"""Inviting people, and letting them choose a password, from the command line."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.cli.administration import COMMAND_LINE, find_person, require_workspace
from tokportal_server.lib.db import Connection
from tokportal_server.pages.one_time_links import make_link
from tokportal_server.workspaces.audit import write_audit

# Giving a role again changes it; whoever runs the command line is an operator.
JOIN = """
INSERT INTO workspace_members (workspace_id, person_id, role) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, person_id) DO UPDATE SET role = excluded.role
"""


async def invitation(conn: Connection, person_id: UUID, *, origin: str) -> str:
    """Make the link by which a new person chooses their password; give its address."""
    return await make_link(conn, person_id, "invitation", origin=origin, actor=COMMAND_LINE)


async def password_reset(conn: Connection, email: str, *, origin: str) -> str:
    """Make a link for somebody who lost their password; until it is used the old one works.

    Raises:
        AdministrationError: nobody has this e-mail address.
    """
    person_id = await find_person(conn, email)
    return await make_link(conn, person_id, "password_reset", origin=origin, actor=COMMAND_LINE)


async def join_workspace(conn: Connection, person_id: UUID, workspace_id: UUID, role: str) -> None:
    """Make a person owner, member or viewer of an existing workspace.

    Raises:
        AdministrationError: there is no such workspace.
    """
    await require_workspace(conn, workspace_id)
    async with conn.transaction():
        await conn.execute(JOIN, workspace_id, person_id, role)
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="person.role",
            subject=("person", person_id),
            actor=COMMAND_LINE,
            details={"role": role},
        )
