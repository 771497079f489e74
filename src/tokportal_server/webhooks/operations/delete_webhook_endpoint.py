"""Forget an endpoint."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.webhooks.errors import endpoint_not_found
from tokportal_server.webhooks.journal import record_deleted
from tokportal_server.workspaces.audit import write_audit

DELETE_ENDPOINT = """
DELETE FROM webhook_endpoints WHERE workspace_id = $1 AND id = $2 RETURNING enabled
"""
# Attempts in flight too: their late record then finds nothing to change.
DELETE_PENDING = """
DELETE FROM webhook_deliveries
 WHERE workspace_id = $1 AND endpoint_id = $2 AND status = 'pending'
"""


async def delete_webhook_endpoint(*, tx: UnitOfWork, actor: Actor, endpoint_id: UUID) -> None:
    """Delete an endpoint, its secret and what waits for it; finished attempts stay until retention.

    Raises:
        WebhookEndpointNotFoundError: the workspace has none with this id.
    """
    enabled = await tx.conn.fetchval(DELETE_ENDPOINT, tx.workspace_id, endpoint_id)
    if enabled is None:
        raise endpoint_not_found(endpoint_id)
    await tx.conn.execute(DELETE_PENDING, tx.workspace_id, endpoint_id)
    record_deleted(tx, endpoint_id, enabled=enabled, actor=actor)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="webhook_endpoint.delete",
        subject=("webhook_endpoint", endpoint_id),
        actor=actor,
    )
