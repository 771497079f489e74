"""The log of attempts: pages of an endpoint's deliveries, and single ones.

A first page costs the same however long the log is: an index for each filter gives its rows, and
the total is added up from the tallies that triggers keep, never counted.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import asyncpg

from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.queries import get_endpoint
from tokportal_server.webhooks.wire import DeliveryQuery, WebhookDelivery

_FIELDS = """
SELECT id, event_id, event_type, attempt, status, response_status, response_body, error_class,
       duration_ms, url, next_attempt_at, due_at, created_at
  FROM webhook_deliveries
 WHERE workspace_id = $1 AND endpoint_id = $2"""
_PAGE = " ORDER BY ordinal DESC LIMIT $3 OFFSET $4"
_OF_TYPE = " AND event_type = $5"
_SUCCEEDED = " AND status = 'succeeded'"
_UNSUCCESSFUL = " AND status IN ('failed', 'skipped_disabled')"
# One statement for each combination of filters: an optional condition would hide its index.
LIST_ALL = f"{_FIELDS}{_PAGE}"
LIST_SUCCEEDED = f"{_FIELDS}{_SUCCEEDED}{_PAGE}"
LIST_UNSUCCESSFUL = f"{_FIELDS}{_UNSUCCESSFUL}{_PAGE}"
LIST_OF_TYPE = f"{_FIELDS}{_OF_TYPE}{_PAGE}"
LIST_SUCCEEDED_OF_TYPE = f"{_FIELDS}{_SUCCEEDED}{_OF_TYPE}{_PAGE}"
LIST_UNSUCCESSFUL_OF_TYPE = f"{_FIELDS}{_UNSUCCESSFUL}{_OF_TYPE}{_PAGE}"
# By whether a type is asked for, and by success.
_LISTS: Final = {
    (False, None): LIST_ALL,
    (False, True): LIST_SUCCEEDED,
    (False, False): LIST_UNSUCCESSFUL,
    (True, None): LIST_OF_TYPE,
    (True, True): LIST_SUCCEEDED_OF_TYPE,
    (True, False): LIST_UNSUCCESSFUL_OF_TYPE,
}
TOTAL = """
SELECT COALESCE(sum(n), 0)::bigint FROM webhook_tallies
 WHERE workspace_id = $1 AND endpoint_id = $2
   AND ($3::text IS NULL OR event_type = $3)
   AND ($4::boolean IS NULL OR (status <> 'pending' AND (status = 'succeeded') = $4))
"""
GET_DELIVERY = """
SELECT id, event_id, event_type, attempt, status, response_status, response_body, error_class,
       duration_ms, url, next_attempt_at, due_at, created_at
  FROM webhook_deliveries
 WHERE workspace_id = $1 AND endpoint_id = $2 AND id = $3
"""
# For a command of the operator: a walk over the bodies, a month of them at most.
FIND_BODY = "SELECT body FROM webhook_payloads WHERE event_id = $1"
_SUCCESS = {"pending": None, "succeeded": True, "failed": False, "skipped_disabled": False}


def delivery_from(row: asyncpg.Record) -> WebhookDelivery:
    """Read a delivery's row; while it waits, its next attempt is itself."""
    waiting = row["status"] == "pending"
    return WebhookDelivery(
        id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        attempt=row["attempt"],
        success=_SUCCESS[row["status"]],
        status=row["status"],
        response_status=row["response_status"],
        response_body=row["response_body"],
        error_class=row["error_class"],
        duration_ms=row["duration_ms"],
        url=row["url"],
        next_attempt_at=wire_time(row["due_at"] if waiting else row["next_attempt_at"]),
        created_at=wire_time(row["created_at"]),
    )


async def list_deliveries(
    conn: Connection, workspace_id: UUID, endpoint_id: UUID, query: DeliveryQuery
) -> tuple[list[WebhookDelivery], Page]:
    """Give a page of an endpoint's attempts, newest first.

    Raises:
        WebhookEndpointNotFoundError: the workspace has no such endpoint.
    """
    await get_endpoint(conn, workspace_id, endpoint_id)
    statement = _LISTS[query.event_type is not None, query.success]
    of_type = () if query.event_type is None else (query.event_type,)
    rows = await conn.fetch(
        statement, workspace_id, endpoint_id, query.per_page, query.offset, *of_type
    )
    total = await conn.fetchval(TOTAL, workspace_id, endpoint_id, query.event_type, query.success)
    return [delivery_from(row) for row in rows], query.of(total)


async def find_body(conn: Connection, event_id: str) -> bytes | None:
    """Give the bytes that were sent for an event of any workspace, if they are kept."""
    body: bytes | None = await conn.fetchval(FIND_BODY, event_id)
    return body
