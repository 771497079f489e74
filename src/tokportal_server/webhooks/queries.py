"""Reads of endpoints, always of one workspace."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.errors import endpoint_not_found
from tokportal_server.webhooks.wire import EndpointQuery, WebhookEndpoint

GET_ENDPOINT = "SELECT * FROM webhook_endpoints WHERE workspace_id = $1 AND id = $2"
LIST_ENDPOINTS = """
SELECT * FROM webhook_endpoints
 WHERE workspace_id = $1
   AND ($2::boolean IS NULL OR enabled = $2)
   AND ($3::text IS NULL OR events @> ARRAY[$3::text])
 ORDER BY ordinal DESC LIMIT $4 OFFSET $5
"""
COUNT_ENDPOINTS = """
SELECT count(*) FROM webhook_endpoints
 WHERE workspace_id = $1
   AND ($2::boolean IS NULL OR enabled = $2)
   AND ($3::text IS NULL OR events @> ARRAY[$3::text])
"""


def endpoint_from(row: asyncpg.Record) -> WebhookEndpoint:
    """Read an endpoint's row."""
    return WebhookEndpoint(
        id=row["id"],
        url=row["url"],
        events=row["events"],
        description=row["description"],
        enabled=row["enabled"],
        disabled_reason=row["disabled_reason"],
        consecutive_failures=row["consecutive_failures"],
        last_delivery_at=wire_time(row["last_delivery_at"]),
        created_at=wire_time(row["created_at"]),
        updated_at=wire_time(row["updated_at"]),
    )


async def get_endpoint(conn: Connection, workspace_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """Give one endpoint.

    Raises:
        WebhookEndpointNotFoundError: the workspace has none with this id.
    """
    row = await conn.fetchrow(GET_ENDPOINT, workspace_id, endpoint_id)
    if row is None:
        raise endpoint_not_found(endpoint_id)
    return endpoint_from(row)


async def list_endpoints(
    conn: Connection, workspace_id: UUID, query: EndpointQuery
) -> tuple[list[WebhookEndpoint], Page]:
    """Give a page of endpoints, newest first."""
    match = (workspace_id, query.enabled, query.event)
    rows = await conn.fetch(LIST_ENDPOINTS, *match, query.per_page, query.offset)
    total = await conn.fetchval(COUNT_ENDPOINTS, *match)
    return [endpoint_from(row) for row in rows], query.of(total)
