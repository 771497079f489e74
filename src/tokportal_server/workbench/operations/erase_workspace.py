"""An operator begins the erasing of a workspace (decision 0021); ``workspaces.erasing`` does it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import spendable
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.earnings.finished import EARNINGS_JOB
from tokportal_server.workspaces.audit import INSTALLATION, write_audit
from tokportal_server.workspaces.errors import WorkspaceNotFoundError
from tokportal_server.workspaces.lookups import workspace_now

LOCK = """
SELECT name, rehearsal FROM workspaces WHERE id = $1 AND erased_at IS NULL FOR NO KEY UPDATE
"""
# What somebody works at, or is still to be paid for. Nobody works in a rehearsal.
UNFINISHED = """
SELECT kind, id::text, count(*) OVER (PARTITION BY kind) AS n FROM (
    SELECT 'order' AS kind, id FROM bundles
     WHERE workspace_id = $1 AND status NOT IN ('completed', 'cancelled', 'archived')
    UNION ALL
    SELECT 'comment', id FROM comment_tasks
     WHERE workspace_id = $1 AND status NOT IN ('finalized', 'cancelled')
    UNION ALL
    SELECT 'profile change', id FROM edit_requests
     WHERE workspace_id = $1 AND status IN ('pending', 'in_progress')
) open ORDER BY kind, id LIMIT 30
"""
# A manager's pay is booked by a job, which follows an event.
UNBOOKED = """
SELECT EXISTS (SELECT FROM events WHERE workspace_id = $1 AND dispatched_at IS NULL)
    OR EXISTS (SELECT FROM pgqueuer
                WHERE entrypoint = $2
                  AND convert_from(payload, 'UTF8')::jsonb ->> 'workspace_id' = ($1::uuid)::text)
"""
BEGIN = "INSERT INTO erasures (kind, subject_id, state) VALUES ('workspace', $1, 'deleting')"
RENAME = "UPDATE workspaces SET name = $2, erased_at = now() WHERE id = $1"
END_KEYS = """
UPDATE api_keys SET revoked_at = COALESCE(revoked_at, now()) WHERE workspace_id = $1
"""
END_ENDPOINTS = "UPDATE webhook_endpoints SET enabled = false WHERE workspace_id = $1 AND enabled"
END_INVITATIONS = "DELETE FROM workspace_invitations WHERE workspace_id = $1"
END_MEMBERS = "DELETE FROM workspace_members WHERE workspace_id = $1"
_NAMED: Final = 5


class WorkspaceBusyError(ApiError):
    """There is work in the workspace that is not finished; ``details`` names some of it."""

    code = "WORKSPACE_BUSY"
    status = 409
    remedy = (
        "The operator: let the work be finished, or cancel it (`tokportal-server bundle cancel`),"
        " so that credits and pay are decided for each; then erase the workspace."
    )


async def begin_erasing(
    *, conn: Connection, actor: Actor, workspace_id: UUID, name: str, reason: str
) -> None:
    """Stop a workspace for good, and begin to erase it; there is no way back.

    In one transaction: keys, endpoints, invitations and memberships end, credits that are left are
    booked off, and the name is gone. ``name`` must be what the workspace is called.

    Raises:
        WorkspaceNotFoundError: there is no such workspace, or it was erased before.
        WorkspaceBusyError: orders, comments or changes of profiles are not finished.
        ValidationError: no reason is given, or the name is another one.
    """
    check_reason(reason)
    now = await workspace_now(conn, workspace_id)
    async with unit_of_work(conn, workspace_id, now=now) as tx:
        found = await conn.fetchrow(LOCK, workspace_id)
        if found is None:
            raise WorkspaceNotFoundError(f"There is no workspace {workspace_id}.")
        if name.strip() != found["name"].strip():
            refuse([Problem("name", f"must be {found['name']!r}, the workspace's name", name)])
        if not found["rehearsal"]:
            await _check_idle(conn, workspace_id)
        left = await _book_off(tx)
        await conn.execute(BEGIN, workspace_id)
        await conn.execute(RENAME, workspace_id, f"Erased workspace {workspace_id.hex[:8]}")
        await _end_access(conn, workspace_id)
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="workspace.erase",
            subject=("workspace", workspace_id),
            actor=actor,
            reason=reason,
            details={"credits_left": left},
        )


async def _check_idle(conn: Connection, workspace_id: UUID) -> None:
    rows = await conn.fetch(UNFINISHED, workspace_id)
    kinds = {row["kind"]: row["n"] for row in rows}
    if kinds:
        some = {kind: [row["id"] for row in rows if row["kind"] == kind][:_NAMED] for kind in kinds}
        told = "; ".join(f"{kind}s: {n}, e.g. {some[kind][0]}" for kind, n in kinds.items())
        details: dict[str, Any] = {"unfinished": kinds, "examples": some}
        raise WorkspaceBusyError(
            f"The workspace has unfinished work ({told}). Let it be finished or cancel it, so that"
            " credits and pay are decided for each; then erase the workspace.",
            details=details,
        )
    if await conn.fetchval(UNBOOKED, workspace_id, EARNINGS_JOB):
        raise WorkspaceBusyError(
            "What managers earned here is still being booked. Try again in a minute; if it lasts,"
            " see which jobs are held (`tokportal-server jobs list`)."
        )


async def _book_off(tx: UnitOfWork) -> int:
    """Take the credits that are left out of the books, so that none of them expires later."""
    await ledger.expire(tx)
    left = await spendable(tx.conn, tx.workspace_id, tx.now)
    if left:
        await ledger.adjust(
            tx,
            amount=-left,
            description="Workspace erased",
            business_key="workspace:erased",
            actor=SYSTEM,
        )
    return left


async def _end_access(conn: Connection, workspace_id: UUID) -> None:
    await conn.execute(END_KEYS, workspace_id)
    await conn.execute(END_ENDPOINTS, workspace_id)
    await conn.execute(END_INVITATIONS, workspace_id)
    await conn.execute(END_MEMBERS, workspace_id)
