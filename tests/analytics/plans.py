"""Plans of workspaces."""

from __future__ import annotations

from uuid import UUID

from tests.analytics.collecting import SET_PLAN
from tokportal_server.analytics.levels import Level
from tokportal_server.lib.db import Connection


async def give_plan(conn: Connection, workspace: UUID, plan: Level) -> None:
    """Put a workspace on a plan."""
    await conn.execute(SET_PLAN, workspace, plan)
