"""Make a workspace with its owner."""

from __future__ import annotations

from uuid import UUID, uuid4

from tokportal_server.lib.db import Connection

INSERT_WORKSPACE = """
INSERT INTO workspaces (id, name, plan, timezone, rehearsal, default_country)
VALUES ($1, $2, $3, $4, $5, $6)
"""
INSERT_OWNER = "INSERT INTO workspace_members VALUES ($1, $2, 'owner')"
INSERT_WALLET = "INSERT INTO wallets (workspace_id) VALUES ($1)"
INSERT_SEQUENCE = "INSERT INTO event_sequences VALUES ($1, 0)"


async def create_workspace(
    *,
    conn: Connection,
    name: str,
    owner_id: UUID,
    plan: str = "starter",
    timezone: str = "UTC",
    rehearsal: bool = False,
    default_country: str | None = None,
) -> UUID:
    """Make a workspace owned by a person, with an empty wallet; give its id.

    ``rehearsal`` gives it a clock of its own and simulated managers, for good.
    """
    workspace_id = uuid4()
    async with conn.transaction():
        await conn.execute(
            INSERT_WORKSPACE, workspace_id, name, plan, timezone, rehearsal, default_country
        )
        await conn.execute(INSERT_OWNER, workspace_id, owner_id)
        await conn.execute(INSERT_WALLET, workspace_id)
        await conn.execute(INSERT_SEQUENCE, workspace_id)
    return workspace_id
