"""An operator decides about a background job that was held after its last attempt."""

from __future__ import annotations

from typing import Literal

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import held
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import INSTALLATION, write_audit


async def settle_job(
    *,
    conn: Connection,
    actor: Actor,
    job_id: int,
    decision: Literal["run_again", "give_up"],
    reason: str,
) -> None:
    """Run a held job again from its first attempt, or delete it.

    Raises:
        ValidationError: no reason is given, no such job is held, or the same work waits already.
    """
    check_reason(reason)
    async with conn.transaction():
        name = await _settle(conn, job_id, decision)
        if name is None:
            refuse([Problem("job", "is not held (any more)", job_id)])
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action=f"job.{decision}",
            subject=("job", None),
            actor=actor,
            reason=reason,
            details={"job_id": job_id, "name": name},
        )


async def _settle(conn: Connection, job_id: int, decision: str) -> str | None:
    if decision == "give_up":
        return await held.give_up(conn, job_id)
    try:
        return await held.run_again(conn, job_id)
    except held.SameJobWaitsError:
        told = "the same work waits or runs already; give this one up"
        refuse([Problem("job", told, job_id)])
    return None
