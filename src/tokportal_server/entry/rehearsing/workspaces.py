"""A rehearsal workspace, ready to be called: credits in it, and a key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from uuid import UUID

from tokportal_server.cli.administration import COMMAND_LINE
from tokportal_server.lib.db import Connection
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workbench.acting import act
from tokportal_server.workbench.operations.grant_credits import grant_credits
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_person import create_person


@dataclass(frozen=True, slots=True)
class ReadyWorkspace:
    """A workspace and a key that may do everything in it."""

    id: UUID
    api_key: str


async def open_rehearsal(
    conn: Connection, *, name: str, owner_id: UUID, credits_: int, plan: str = "full"
) -> ReadyWorkspace:
    """Make a rehearsal of somebody's, with credits (none for 0) and a key."""
    workspace_id = await create_rehearsal(conn=conn, name=name, owner_id=owner_id, plan=plan)
    if credits_:
        await act(
            conn,
            workspace_id,
            lambda tx: grant_credits(tx=tx, actor=COMMAND_LINE, amount=credits_, reason=name),
        )
    _, api_key = await create_api_key(
        conn=conn, workspace_id=workspace_id, person_id=owner_id, name=name, environment="test"
    )
    return ReadyWorkspace(workspace_id, api_key)


async def somebody(conn: Connection) -> UUID:
    """Make a person who owns a rehearsal and never signs in; give their id."""
    # By its very name, nobody can receive mail there.
    email = f"owner.{secrets.token_hex(8)}@rehearsal.invalid"
    return await create_person(conn=conn, email=email, name="Rehearsal")
