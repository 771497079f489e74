"""The operator stops publishing and claims: everywhere, in a workspace, or for one account.

Maintenance is the same switch thrown further: nobody writes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

SET = """
INSERT INTO kill_switches (scope, subject_id, reason, set_by, until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope, subject_id)
    DO UPDATE SET reason = excluded.reason, set_by = excluded.set_by, set_at = now(),
                  until = excluded.until
"""
CLEAR = "DELETE FROM kill_switches WHERE scope = $1 AND subject_id = $2 RETURNING scope"
WORKSPACE = "SELECT id FROM workspaces WHERE id = $1 AND erased_at IS NULL"
ACCOUNT = "SELECT workspace_id FROM saved_accounts WHERE id = $1"

Scope = Literal["all", "workspace", "account", "maintenance"]


@dataclass(frozen=True, slots=True)
class Switch:
    """What is stopped: everything, a workspace, or a delivered account; or all writing.

    Everything and maintenance have no ``subject_id``. ``until`` is when maintenance is expected to
    end, in real time; it ends when it is switched off.
    """

    scope: Scope
    subject_id: UUID | None = None
    until: datetime | None = None

    @property
    def is_maintenance(self) -> bool:
        """Say whether it stops all writing."""
        return self.scope == "maintenance"


async def pause(*, conn: Connection, actor: Actor, switch: Switch, reason: str) -> None:
    """Stop publishing and claims; said again, the new reason stands.

    Orders that are claimed go on. Customers read the reason in the readiness of their bundles, and
    that of maintenance on every page and in every refusal.

    Raises:
        ValidationError: no reason is given, there is no such workspace or account, or ``until`` has
            passed.
    """
    check_reason(reason)
    if switch.until is not None and switch.until <= real_now():
        told = "must be a time to come, such as 2030-01-31T18:00:00Z"
        refuse([Problem("until", told, switch.until.isoformat())])
    async with conn.transaction():
        workspace_id = await _workspace(conn, switch)
        await conn.execute(
            SET,
            switch.scope,
            switch.subject_id or INSTALLATION,
            reason,
            actor.id,
            switch.until,
        )
        action = "maintenance.on" if switch.is_maintenance else "publishing.pause"
        await _audit(conn, action, workspace_id, switch, actor, reason)


async def resume(*, conn: Connection, actor: Actor, switch: Switch, reason: str) -> bool:
    """Let publishing and claims go on; say whether they were stopped.

    Raises:
        ValidationError: no reason is given, or there is no such workspace or account.
    """
    check_reason(reason)
    async with conn.transaction():
        workspace_id = await _workspace(conn, switch)
        subject_id = switch.subject_id or INSTALLATION
        cleared = await conn.fetchval(CLEAR, switch.scope, subject_id)
        if cleared is not None:
            action = "maintenance.off" if switch.is_maintenance else "publishing.resume"
            await _audit(conn, action, workspace_id, switch, actor, reason)
    return cleared is not None


async def _workspace(conn: Connection, switch: Switch) -> UUID:
    """Give the workspace that a switch is about."""
    if switch.scope in ("all", "maintenance"):
        if switch.subject_id is not None:
            told = f"{switch.scope} stops everything; leave it out"
            refuse([Problem("subject_id", told)])
        return INSTALLATION
    found: UUID | None
    if switch.scope == "workspace":
        found = await conn.fetchval(WORKSPACE, switch.subject_id)
    else:
        found = await conn.fetchval(ACCOUNT, switch.subject_id)
    if found is None:
        problem = f"there is no {switch.scope} {switch.subject_id}"
        refuse([Problem("subject_id", problem, str(switch.subject_id))])
    return found or INSTALLATION


async def _audit(
    conn: Connection, action: str, workspace_id: UUID, switch: Switch, actor: Actor, reason: str
) -> None:
    await write_audit(
        conn,
        workspace_id=workspace_id,
        action=action,
        subject=(switch.scope, switch.subject_id),
        actor=actor,
        reason=reason,
    )
