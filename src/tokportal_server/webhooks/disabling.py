"""Switching an endpoint off: what waits for it is recorded as skipped, never sent."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.webhooks.journal import record_enabled

DISABLE_ENDPOINT = """
UPDATE webhook_endpoints
   SET enabled = false, disabled_reason = $3, hold_until = NULL, updated_at = $4
 WHERE workspace_id = $1 AND id = $2
"""
SKIP_WAITING = """
UPDATE webhook_deliveries SET status = 'skipped_disabled', finished_at = $3
 WHERE workspace_id = $1 AND endpoint_id = $2 AND status = 'pending' AND lease_token IS NULL
"""


async def disable_locked_endpoint(
    tx: UnitOfWork, endpoint_id: UUID, *, reason: str | None, actor: Actor
) -> None:
    """Switch off an enabled endpoint whose row the caller has locked; skip what waits for it.

    Attempts in flight end on their own, and are not followed by others.
    """
    await tx.conn.execute(DISABLE_ENDPOINT, tx.workspace_id, endpoint_id, reason, tx.now)
    await skip_waiting(tx, endpoint_id)
    record_enabled(tx, endpoint_id, before=True, after=False, actor=actor, reason=reason)


async def skip_waiting(tx: UnitOfWork, endpoint_id: UUID) -> None:
    """Record everything that waits for an endpoint as skipped."""
    await tx.conn.execute(SKIP_WAITING, tx.workspace_id, endpoint_id, tx.now)
