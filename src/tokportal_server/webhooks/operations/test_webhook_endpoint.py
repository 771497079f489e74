"""Send a test event to one endpoint, enabled or not, subscribed or not."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tokportal_server.http.idempotency import KEPT
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.webhooks.catalogue import TEST_EVENT
from tokportal_server.webhooks.dispatch import INSERT_PAYLOADS
from tokportal_server.webhooks.envelope import encode_envelope, event_from
from tokportal_server.webhooks.manual import Sendable, lock_endpoint, write_attempt

MESSAGE = "A test of your webhook endpoint. Nothing has happened to your orders."
# A test whose call was broken off, and that the same key makes again: sent as the same event.
EARLIER_TEST = """
SELECT d.event_id, p.body
  FROM webhook_deliveries d
  JOIN webhook_payloads p ON p.workspace_id = d.workspace_id AND p.event_id = d.event_id
 WHERE d.workspace_id = $1 AND d.endpoint_id = $2 AND d.manual AND d.event_type = $3
   AND d.request_key = $4 AND d.recorded_at > now() - $5::interval
 ORDER BY d.ordinal LIMIT 1
"""
EVENT_BY_ID = """
SELECT id, type, sequence, data, created_at FROM events WHERE workspace_id = $1 AND id = $2
"""


async def test_webhook_endpoint(
    conn: Connection, workspace_id: UUID, *, endpoint_id: UUID, now: datetime, key: str | None
) -> Sendable:
    """Write a ``webhook.test`` event and an attempt to deliver it; committed when this returns.

    ``now`` is the workspace's clock, ``key`` the call's idempotency key.

    Raises:
        WebhookEndpointNotFoundError: the workspace has none with this id.
    """
    event_id, body = await _earlier(conn, workspace_id, endpoint_id, key)
    if event_id is None:
        async with unit_of_work(conn, workspace_id, now=now) as tx:
            await lock_endpoint(conn, workspace_id, endpoint_id)
            event_id = tx.emit(TEST_EVENT, {"endpoint_id": endpoint_id, "message": MESSAGE})
    async with conn.transaction():
        endpoint = await lock_endpoint(conn, workspace_id, endpoint_id)
        if body is None:
            event = existing(await conn.fetchrow(EVENT_BY_ID, workspace_id, event_id))
            body = encode_envelope(event_from(event))
            await conn.execute(INSERT_PAYLOADS, [workspace_id], [event_id], [body], [None])
        return await write_attempt(
            conn,
            workspace_id,
            endpoint,
            event_id=event_id,
            event_type=TEST_EVENT,
            body=body,
            after=0,
            now=now,
            request_key=key,
        )


async def _earlier(
    conn: Connection, workspace_id: UUID, endpoint_id: UUID, key: str | None
) -> tuple[str | None, bytes | None]:
    row = await conn.fetchrow(EARLIER_TEST, workspace_id, endpoint_id, TEST_EVENT, key, KEPT)
    return (None, None) if row is None else (row["event_id"], row["body"])
