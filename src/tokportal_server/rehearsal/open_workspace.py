"""An operator makes a workspace for somebody: a real one, or a rehearsal."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workbench.operations.set_plan import PLANS
from tokportal_server.workspaces.audit import write_audit
from tokportal_server.workspaces.lookups import find_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace

_LONGEST_NAME: Final = 200


async def open_workspace(
    *, conn: Connection, actor: Actor, name: str, owner: str, rehearsal: bool, plan: str
) -> UUID:
    """Make a workspace for the person with the e-mail address ``owner``; give its id.

    Raises:
        PersonNotFoundError: nobody has this address.
        ValidationError: the name is empty or too long, or there is no such plan.
    """
    refuse(_problems(name, plan))
    owner_id = await find_person(conn, owner)
    make = create_rehearsal if rehearsal else create_workspace
    async with conn.transaction():
        workspace_id = await make(conn=conn, name=name, owner_id=owner_id, plan=plan)
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="workspace.create",
            subject=("workspace", workspace_id),
            actor=actor,
            details={"rehearsal": rehearsal, "plan": plan, "owner": str(owner_id)},
        )
    return workspace_id


def _problems(name: str, plan: str) -> list[Problem]:
    problems = []
    if not name.strip() or len(name) > _LONGEST_NAME:
        problems.append(Problem("name", f"must be 1 to {_LONGEST_NAME} characters long", name))
    if plan not in PLANS:
        problems.append(Problem("plan", f"must be one of {', '.join(PLANS)}", plan))
    return problems
