"""Send an event that was delivered, or not, once more to the same endpoint."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.delivery_log import GET_DELIVERY
from tokportal_server.webhooks.errors import (
    WebhookEndpointDisabledError,
    WebhookPayloadUnavailableError,
    delivery_not_found,
)
from tokportal_server.webhooks.manual import Sendable, lock_endpoint, write_attempt
from tokportal_server.webhooks.schedule import PAYLOADS_KEPT

# The time decides, not the row: it may be there a little longer.
KEPT_PAYLOAD = """
SELECT body FROM webhook_payloads
 WHERE workspace_id = $1 AND event_id = $2 AND recorded_at > now() - $3::interval
"""


async def retry_webhook_delivery(
    conn: Connection, workspace_id: UUID, *, endpoint_id: UUID, delivery_id: UUID, now: datetime
) -> Sendable:
    """Write a further attempt with the same event id and bytes; committed when this returns.

    It goes to the URL that the endpoint has now. ``now`` is the workspace's clock.

    Raises:
        WebhookEndpointNotFoundError: the workspace has no such endpoint.
        WebhookDeliveryNotFoundError: the endpoint has no such delivery.
        WebhookEndpointDisabledError: the endpoint is disabled.
        WebhookPayloadUnavailableError: the body is older than 30 days and not kept.
    """
    async with conn.transaction():
        endpoint, delivery, body = await retryable(conn, workspace_id, endpoint_id, delivery_id)
        return await write_attempt(
            conn,
            workspace_id,
            endpoint,
            event_id=delivery["event_id"],
            event_type=delivery["event_type"],
            body=body,
            after=delivery["attempt"],
            now=now,
        )


async def retryable(
    conn: Connection, workspace_id: UUID, endpoint_id: UUID, delivery_id: UUID
) -> tuple[asyncpg.Record, asyncpg.Record, bytes]:
    """Give the endpoint, locked, the delivery and its body, or refuse as the retry does."""
    endpoint = await lock_endpoint(conn, workspace_id, endpoint_id)
    delivery = await conn.fetchrow(GET_DELIVERY, workspace_id, endpoint_id, delivery_id)
    if delivery is None:
        raise delivery_not_found(delivery_id)
    if not endpoint["enabled"]:
        raise WebhookEndpointDisabledError(
            f"id: the endpoint {endpoint_id} is disabled. Enable it (PATCH /webhooks/{{id}} with"
            " enabled true), then retry the delivery."
        )
    body: bytes | None = await conn.fetchval(
        KEPT_PAYLOAD, workspace_id, delivery["event_id"], PAYLOADS_KEPT
    )
    if body is None:
        raise WebhookPayloadUnavailableError(
            f"delivery_id: what was sent in {delivery_id} is older than {PAYLOADS_KEPT.days} days"
            " and not kept any more. Read the object that the event was about instead."
        )
    return endpoint, delivery, body
