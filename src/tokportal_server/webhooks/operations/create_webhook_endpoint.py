"""Register a receiver of events."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tokportal_server.http.validation import refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.outbound import OutboundPolicy
from tokportal_server.lib.redaction import redact_text
from tokportal_server.lib.signing import new_webhook_secret
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.webhooks.address import url_problems
from tokportal_server.webhooks.errors import WebhookEndpointExistsError
from tokportal_server.webhooks.journal import record_enabled
from tokportal_server.webhooks.queries import endpoint_from
from tokportal_server.webhooks.sealing import seal_secret
from tokportal_server.webhooks.wire import CreatedWebhookEndpoint
from tokportal_server.workspaces.audit import write_audit

# Whatever is being committed now gets a higher number than the last that is to be seen.
INSERT_ENDPOINT = """
INSERT INTO webhook_endpoints (workspace_id, id, url, events, description, enabled, secret_sealed,
                               created_at, updated_at, after_sequence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8,
        COALESCE((SELECT last FROM event_sequences WHERE workspace_id = $1), 0))
ON CONFLICT (workspace_id, url) DO NOTHING
RETURNING *
"""
ENDPOINT_WITH_URL = "SELECT id FROM webhook_endpoints WHERE workspace_id = $1 AND url = $2"


async def create_webhook_endpoint(
    *,
    tx: UnitOfWork,
    actor: Actor,
    vault: Vault,
    policy: OutboundPolicy,
    url: str,
    events: Sequence[str],
    description: str | None = None,
    enabled: bool = True,
) -> CreatedWebhookEndpoint:
    """Make an endpoint; give it with its signing secret, which is shown this once.

    A dry run mints no secret: then it is None.

    Raises:
        ValidationError: ``url`` may not be called under ``policy``.
        WebhookEndpointExistsError: the workspace has an endpoint with this URL.
    """
    refuse(list(url_problems(url, policy)))
    endpoint_id = tx.new_id()
    secret, sealed = None, b""
    if not tx.dry_run:
        secret = new_webhook_secret()
        sealed = seal_secret(vault, secret, workspace_id=tx.workspace_id, endpoint_id=endpoint_id)
    row = await tx.conn.fetchrow(
        INSERT_ENDPOINT,
        tx.workspace_id,
        endpoint_id,
        url,
        events,
        description or None,
        enabled,
        sealed,
        tx.now,
    )
    if row is None:
        existing = await tx.conn.fetchval(ENDPOINT_WITH_URL, tx.workspace_id, url)
        raise WebhookEndpointExistsError(
            f"url: the workspace already sends events to {url[:200]}. Change that endpoint's"
            " events with PATCH /webhooks/{id}, or delete it first.",
            details={"existing_endpoint_id": str(existing)},
        )
    record_enabled(tx, endpoint_id, before=None, after=enabled, actor=actor)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="webhook_endpoint.create",
        subject=("webhook_endpoint", endpoint_id),
        actor=actor,
        details={"url": redact_text(url)},
    )
    return CreatedWebhookEndpoint(
        **msgspec.structs.asdict(endpoint_from(row)), signing_secret=secret
    )
