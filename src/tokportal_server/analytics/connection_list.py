"""Which accounts of a workspace are connected, what came of that, and what is due."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tokportal_server.http.paging import Page, PageQuery
from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

LIST_CONNECTIONS = """
SELECT a.id, a.username, a.platform, a.country, a.status,
       c.provider, c.connected_at, c.scopes, c.broken_reason, p.name AS connected_by,
       r.refreshed_at, r.due_at, r.failure_reason
  FROM saved_accounts a
  LEFT JOIN analytics_connections c
    ON c.workspace_id = a.workspace_id AND c.saved_account_id = a.id
  LEFT JOIN people p ON p.id = c.connected_by
  LEFT JOIN analytics_refreshes r
    ON r.workspace_id = a.workspace_id AND r.saved_account_id = a.id
 WHERE a.workspace_id = $1
 ORDER BY a.ordinal DESC LIMIT $2 OFFSET $3
"""
COUNT_ACCOUNTS = "SELECT count(*) FROM saved_accounts WHERE workspace_id = $1"


async def list_connections(
    conn: Connection, workspace_id: UUID, query: PageQuery
) -> tuple[list[Row], Page]:
    """Give a page of accounts, newest first, each with its connection and its refreshes."""
    rows: list[Any] = await conn.fetch(LIST_CONNECTIONS, workspace_id, query.per_page, query.offset)
    return rows, query.of(await conn.fetchval(COUNT_ACCOUNTS, workspace_id))
