"""What an operator's act begins with: a person by their address, a workspace's own time."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.errors import PersonNotFoundError, WorkspaceNotFoundError

FIND_PERSON = "SELECT id FROM people WHERE lower(email) = lower($1)"
OFFSET = "SELECT clock_offset FROM workspaces WHERE id = $1 AND erased_at IS NULL"


async def find_person(conn: Connection, email: str) -> UUID:
    """Give the id of the person with an e-mail address, in whatever case it is written.

    Raises:
        PersonNotFoundError: nobody has it.
    """
    found: UUID | None = await conn.fetchval(FIND_PERSON, email)
    if found is None:
        raise PersonNotFoundError(
            f"Nobody has the address {email}. Make them first: tokportal-server person create, or"
            " invite them on the operators' page of people."
        )
    return found


async def workspace_now(conn: Connection, workspace_id: UUID) -> datetime:
    """Give the moment that a workspace calls now (contract section 2).

    Raises:
        WorkspaceNotFoundError: there is no such workspace, or it was erased.
    """
    offset: timedelta | None = await conn.fetchval(OFFSET, workspace_id)
    if offset is None:
        raise WorkspaceNotFoundError(f"There is no workspace {workspace_id}.")
    return real_now() + offset
