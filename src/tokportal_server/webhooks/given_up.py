"""Deliveries that were given up, over all workspaces: operators may have them sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.manual import LAST_ATTEMPT
from tokportal_server.webhooks.operations.retry_webhook_delivery import retryable
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import write_audit
from tokportal_server.workspaces.lookups import workspace_now

# The last automatic attempt has no other after it; one that was asked for later and waits, or has
# succeeded, takes its place. Of each endpoint the newest alone, by the index of the unsuccessful.
GIVEN_UP = """
SELECT d.id, d.workspace_id, d.endpoint_id, d.event_id, d.event_type, d.attempt, d.url,
       d.response_status, d.error_class, d.finished_at, e.enabled, w.name AS workspace
  FROM webhook_endpoints e
  JOIN workspaces w ON w.id = e.workspace_id
  CROSS JOIN LATERAL (
      SELECT * FROM webhook_deliveries
       WHERE workspace_id = e.workspace_id AND endpoint_id = e.id
         AND status = 'failed' AND next_attempt_at IS NULL AND NOT manual
       ORDER BY ordinal DESC LIMIT 20
  ) d
 WHERE NOT EXISTS (SELECT FROM webhook_deliveries m
                    WHERE m.workspace_id = d.workspace_id AND m.endpoint_id = d.endpoint_id
                      AND m.event_id = d.event_id AND m.manual
                      AND m.status IN ('pending', 'succeeded'))
 ORDER BY d.finished_at DESC NULLS LAST, d.id LIMIT $1
"""
WAITS = """
SELECT EXISTS (SELECT FROM webhook_deliveries
                WHERE workspace_id = $1 AND endpoint_id = $2 AND event_id = $3
                  AND manual AND status = 'pending')
"""
# Sent by a worker in its turn, once: no further attempt follows it.
QUEUE = """
INSERT INTO webhook_deliveries (workspace_id, endpoint_id, url, event_id, event_type, status,
                                attempt, due_at, created_at, manual)
VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $7, true)
"""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A delivery of which no further attempt is made; ``finished_at`` is the workspace's clock."""

    id: UUID
    workspace_id: UUID
    endpoint_id: UUID
    event_id: str
    event_type: str
    attempt: int
    url: str
    response_status: int | None
    error_class: str | None
    finished_at: datetime | None
    enabled: bool
    workspace: str


async def list_given_up(conn: Connection, most: int) -> list[GivenUp]:
    """Give the deliveries that were given up last, at most twenty of an endpoint."""
    return [GivenUp(**row) for row in await conn.fetch(GIVEN_UP, most)]


async def send_again(
    conn: Connection,
    *,
    actor: Actor,
    workspace_id: UUID,
    endpoint_id: UUID,
    delivery_id: UUID,
    reason: str,
) -> None:
    """Queue one more attempt, with the same event id and bytes; workers keep to the endpoint's cap.

    Raises:
        WorkspaceNotFoundError, WebhookEndpointNotFoundError, WebhookDeliveryNotFoundError: there
            is no such thing.
        WebhookEndpointDisabledError: nothing is sent to the endpoint.
        WebhookPayloadUnavailableError: the bytes are not kept any more.
        ValidationError: no reason is given, or an attempt waits already.
    """
    check_reason(reason)
    now = await workspace_now(conn, workspace_id)
    async with conn.transaction():
        endpoint, delivery, _ = await retryable(conn, workspace_id, endpoint_id, delivery_id)
        event_id = delivery["event_id"]
        if await conn.fetchval(WAITS, workspace_id, endpoint_id, event_id):
            refuse([Problem("delivery", "waits to be sent again already", str(delivery_id))])
        last = await conn.fetchval(LAST_ATTEMPT, workspace_id, endpoint_id, event_id) or 0
        attempt = max(delivery["attempt"], last) + 1
        await conn.execute(
            QUEUE,
            workspace_id,
            endpoint_id,
            endpoint["url"],
            event_id,
            delivery["event_type"],
            attempt,
            now,
        )
        await write_audit(
            conn,
            workspace_id=workspace_id,
            action="webhook.send_again",
            subject=("delivery", delivery_id),
            actor=actor,
            reason=reason,
            details={"event_id": event_id},
        )
