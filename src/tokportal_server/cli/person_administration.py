"""Inviting people, and letting them choose a password, from the command line."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.cli.administration import COMMAND_LINE
from tokportal_server.lib.db import Connection
from tokportal_server.pages.one_time_links import make_link
from tokportal_server.pages.second_factor import remove_factor
from tokportal_server.pages.sessions import end_sessions
from tokportal_server.workspaces.lookups import find_person, workspace_now
from tokportal_server.workspaces.operations.members import MemberRole, put_member


async def invitation(conn: Connection, person_id: UUID, *, origin: str) -> str:
    """Make the link by which a new person chooses their password; give its address."""
    return await make_link(conn, person_id, "invitation", origin=origin, actor=COMMAND_LINE)


async def password_reset(conn: Connection, email: str, *, origin: str) -> str:
    """Make a link for somebody who lost their password; until it is used the old one works.

    Raises:
        PersonNotFoundError: nobody has this e-mail address.
    """
    person_id = await find_person(conn, email)
    return await make_link(conn, person_id, "password_reset", origin=origin, actor=COMMAND_LINE)


async def reset_second_step(conn: Connection, email: str, *, reason: str) -> None:
    """Turn somebody's second step at sign-in off, and sign them out everywhere.

    Raises:
        PersonNotFoundError: nobody has this e-mail address.
    """
    person_id = await find_person(conn, email)
    async with conn.transaction():
        await remove_factor(conn, person_id=person_id, actor=COMMAND_LINE, reason=reason)
        await end_sessions(conn, person_id)


async def join_workspace(
    conn: Connection, person_id: UUID, workspace_id: UUID, role: MemberRole
) -> None:
    """Make a person owner, member or viewer of an existing workspace.

    Raises:
        WorkspaceNotFoundError: there is no such workspace.
        LastOwnerError: they are its only owner, and would be less.
    """
    await workspace_now(conn, workspace_id)
    await put_member(
        conn, workspace_id=workspace_id, person_id=person_id, role=role, actor=COMMAND_LINE
    )
