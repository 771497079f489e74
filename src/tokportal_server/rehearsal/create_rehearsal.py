"""Make a rehearsal workspace: a clock of its own, and a simulated manager for every country."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.create_person import create_manager, create_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace
from tokportal_server.workspaces.reference import list_countries, list_platforms


async def create_rehearsal(*, conn: Connection, name: str, owner_id: UUID, plan: str) -> UUID:
    """Make the workspace and its simulated manager; give the workspace's id."""
    async with conn.transaction():
        workspace_id = await create_workspace(
            conn=conn, name=name, owner_id=owner_id, plan=plan, rehearsal=True
        )
        # The address cannot receive mail, by its very name; nobody signs in as a simulation.
        manager = await create_person(
            conn=conn, email=f"manager.{workspace_id}@rehearsal.invalid", name="Simulated manager"
        )
        await create_manager(
            conn=conn,
            person_id=manager,
            display_name="Simulated manager",
            countries=[country.code for country in await list_countries(conn)],
            platforms=[platform.code for platform in await list_platforms(conn)],
            rehearsal_workspace_id=workspace_id,
        )
    return workspace_id
