"""An operator changes what a workspace's plan is."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import write_audit
from tokportal_server.workspaces.errors import WorkspaceNotFoundError

SET = "UPDATE workspaces SET plan = $2 WHERE id = $1 AND erased_at IS NULL RETURNING id"
PLANS: Final = ("starter", "creator", "full")


async def set_plan(
    *, conn: Connection, actor: Actor, workspace_id: UUID, plan: str, reason: str
) -> None:
    """Set a workspace's plan, which says what analytics it has, from its next request on.

    Raises:
        WorkspaceNotFoundError: there is no such workspace.
        ValidationError: no reason is given, or there is no such plan.
    """
    check_reason(reason)
    if plan not in PLANS:
        refuse([Problem("plan", f"must be one of {', '.join(PLANS)}", plan)])
    async with conn.transaction():
        if await conn.fetchval(SET, workspace_id, plan) is None:
            raise WorkspaceNotFoundError(f"There is no workspace {workspace_id}.")
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="workspace.plan",
            subject=("workspace", workspace_id),
            actor=actor,
            reason=reason,
            details={"plan": plan},
        )
