"""An operator makes somebody an operator, or takes that away."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import INSTALLATION, write_audit
from tokportal_server.workspaces.errors import PersonNotFoundError

# Two changes at once queue up: together they must not take away the last operator.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('operators', 0))"
SET = "UPDATE people SET operator = $2 WHERE id = $1 RETURNING id"
OTHERS = "SELECT count(*) FROM people WHERE operator AND id <> $1"


async def set_operator(
    *, conn: Connection, actor: Actor, person_id: UUID, operator: bool, reason: str
) -> None:
    """Give or take the role of operator, from the person's next request on.

    Raises:
        PersonNotFoundError: there is no such person.
        ValidationError: no reason is given; it is one's own role; or nobody else would be left.
    """
    check_reason(reason)
    if person_id == actor.id:
        refuse([Problem("operator", "nobody changes their own role; ask another operator")])
    async with conn.transaction():
        await conn.execute(LOCK)
        if not operator and await conn.fetchval(OTHERS, person_id) == 0:
            refuse([Problem("operator", "this is the last operator; make another one first")])
        if await conn.fetchval(SET, person_id, operator) is None:
            raise PersonNotFoundError(f"There is no person {person_id}.")
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="person.operator",
            subject=("person", person_id),
            actor=actor,
            reason=reason,
            details={"operator": operator},
        )
