"""The audit log: who did what to whom and why, written in the transaction that does it.

Rows are never changed (a trigger refuses); months are dropped after two years.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.db import Connection

WRITE = """
INSERT INTO audit (workspace_id, action, subject_kind, subject_id, actor_kind, actor_id, address,
                   reason, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
AUDIT_KEPT: Final = timedelta(days=2 * 365)
# What concerns the whole installation belongs to no workspace.
INSTALLATION: Final = UUID(int=0)


async def write_audit(
    conn: Connection,
    *,
    workspace_id: UUID,
    action: str,
    subject: tuple[str, UUID | None],
    actor: Actor,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Note an act, such as ``bundle.cancel`` of ``("bundle", id)``, at the real time.

    ``workspace_id`` is :data:`INSTALLATION` for acts that concern everybody; ``details`` must hold
    no secret. What the server does by itself is nobody's to answer for: it stands in the journal.
    """
    if actor == SYSTEM:
        return
    await conn.execute(
        WRITE,
        workspace_id,
        action,
        *subject,
        actor.kind,
        actor.id,
        actor.address,
        reason,
        dict(details or {}),
    )
