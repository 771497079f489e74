"""Give an endpoint another signing secret: the old one may have been seen."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.signing import new_webhook_secret
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.webhooks.errors import endpoint_not_found
from tokportal_server.webhooks.sealing import seal_secret
from tokportal_server.workspaces.audit import write_audit

RESEAL = """
UPDATE webhook_endpoints SET secret_sealed = $3, updated_at = $4
 WHERE workspace_id = $1 AND id = $2
RETURNING id
"""


async def rotate_webhook_secret(
    *, tx: UnitOfWork, actor: Actor, vault: Vault, endpoint_id: UUID
) -> str:
    """Mint a secret that signs from the next attempt on; give it, which nobody can do again.

    The old one ends at once: an attempt that is being sent may still carry it.

    Raises:
        WebhookEndpointNotFoundError: the workspace has none with this id.
    """
    secret = new_webhook_secret()
    sealed = seal_secret(vault, secret, workspace_id=tx.workspace_id, endpoint_id=endpoint_id)
    changed = await tx.conn.fetchval(RESEAL, tx.workspace_id, endpoint_id, sealed, tx.now)
    if changed is None:
        raise endpoint_not_found(endpoint_id)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="webhook_endpoint.rotate_secret",
        subject=("webhook_endpoint", endpoint_id),
        actor=actor,
    )
    return secret
