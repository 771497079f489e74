"""Attempts that somebody asks for: a test of an endpoint, or a delivery once more.

1. Write the attempt with a lease on it, under the endpoint's lock, so that no worker takes it up.
2. Send it, outside any transaction.
3. Record it, in the transaction that stores the answer.

Somebody waits for the answer, so it goes at once, past an open breaker and past the cap on what is
in flight; no further attempt follows it. If this process dies on the way, the lease ends and the
attempt is recorded as one that nobody saw end; the next call with the same idempotency key sends
the same event again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.claim import LEASE
from tokportal_server.webhooks.delivery_log import GET_DELIVERY, delivery_from
from tokportal_server.webhooks.errors import endpoint_not_found
from tokportal_server.webhooks.record import Result, record
from tokportal_server.webhooks.sealing import open_secret
from tokportal_server.webhooks.sending import Claimed, send
from tokportal_server.webhooks.wire import WebhookDelivery

LOCK_MANUAL = """
SELECT id, url, enabled, secret_sealed FROM webhook_endpoints
 WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE
"""
INSERT_MANUAL = """
INSERT INTO webhook_deliveries (workspace_id, endpoint_id, url, event_id, event_type, status,
                                attempt, due_at, created_at, lease_token, lease_until, manual,
                                request_key)
VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $7, $8, now() + $9, true, $10)
RETURNING id, recorded_at
"""
# The numbers of an event's attempts go on, whoever asked for them.
LAST_ATTEMPT = """
SELECT max(attempt) FROM webhook_deliveries
 WHERE workspace_id = $1 AND endpoint_id = $2 AND event_id = $3 AND manual
"""
FIRST_ATTEMPT: Final = 1


@dataclass(frozen=True, slots=True)
class Sendable:
    """A written attempt with the endpoint's sealed secret."""

    claimed: Claimed
    secret_sealed: bytes


async def lock_endpoint(conn: Connection, workspace_id: UUID, endpoint_id: UUID) -> asyncpg.Record:
    """Lock an endpoint for an attempt.

    Raises:
        WebhookEndpointNotFoundError: the workspace has none with this id.
    """
    row = await conn.fetchrow(LOCK_MANUAL, workspace_id, endpoint_id)
    if row is None:
        raise endpoint_not_found(endpoint_id)
    return row


async def write_attempt(
    conn: Connection,
    workspace_id: UUID,
    endpoint: asyncpg.Record,
    *,
    event_id: str,
    event_type: str,
    body: bytes,
    after: int,
    now: datetime,
    request_key: str | None = None,
) -> Sendable:
    """Write an attempt with a number above ``after``; ``endpoint`` is locked by the caller."""
    last = await conn.fetchval(LAST_ATTEMPT, workspace_id, endpoint["id"], event_id)
    attempt, token = max(after, last or 0) + 1, uuid4()
    row = existing(
        await conn.fetchrow(
            INSERT_MANUAL,
            workspace_id,
            endpoint["id"],
            endpoint["url"],
            event_id,
            event_type,
            attempt,
            now,
            token,
            LEASE,
            request_key,
        )
    )
    claimed = Claimed(
        workspace_id=workspace_id,
        id=row["id"],
        recorded_at=row["recorded_at"],
        endpoint_id=endpoint["id"],
        event_id=event_id,
        event_type=event_type,
        attempt=attempt,
        url=endpoint["url"],
        body=body,
        lease_token=token,
        manual=True,
    )
    return Sendable(claimed, endpoint["secret_sealed"])


async def make_attempt(ports: Ports, sendable: Sendable) -> Result:
    """Send a written attempt; whatever the receiver does, it gives a result."""
    claimed = sendable.claimed
    secret = open_secret(
        ports.vault,
        sendable.secret_sealed,
        workspace_id=claimed.workspace_id,
        endpoint_id=claimed.endpoint_id,
    )
    return Result(claimed, await send(ports.outbound, claimed, secret=secret))


async def record_attempt(conn: Connection, result: Result) -> WebhookDelivery:
    """Record an attempt that was sent, and give its row of the log.

    Raises:
        WebhookEndpointNotFoundError: the endpoint was deleted meanwhile, and the attempt with it.
    """
    await record(conn, [result])
    claimed = result.claimed
    row = await conn.fetchrow(GET_DELIVERY, claimed.workspace_id, claimed.endpoint_id, claimed.id)
    if row is None:
        raise endpoint_not_found(claimed.endpoint_id)
    return delivery_from(row)
