"""Delivered accounts as objects of the contract."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.wire import ListAccountsQuery, ManagerFacts, SavedAccount
from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.orders.locks import Row
from tokportal_server.workspaces.reference import find_country

_SELECT = """
SELECT a.*, m.display_name FROM saved_accounts a
  LEFT JOIN managers m ON m.person_id = a.manager_id
 WHERE a.workspace_id = $1
"""
_FILTERS = """
   AND ($2::text IS NULL OR a.platform = $2)
   AND ($3::text IS NULL OR a.country = $3)
   AND ($4::boolean IS NULL OR (a.status = 'banned') = $4)
"""
GET = _SELECT + " AND a.id = $2"
LIST = _SELECT + _FILTERS + " ORDER BY a.ordinal DESC LIMIT $5 OFFSET $6"
COUNT = "SELECT count(*) FROM saved_accounts a WHERE a.workspace_id = $1" + _FILTERS


async def get_account(conn: Connection, workspace_id: UUID, account_id: UUID) -> SavedAccount:
    """Give one account, delivered or still in review.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    row = await conn.fetchrow(GET, workspace_id, account_id)
    if row is None:
        raise SavedAccountNotFoundError(
            f"No account {account_id} in this workspace. GET /accounts lists those there are."
        )
    return _account(row)


async def list_accounts(
    conn: Connection, workspace_id: UUID, query: ListAccountsQuery
) -> tuple[list[SavedAccount], Page]:
    """Give a page of accounts, newest first."""
    country = query.country
    if country is not None:
        known = await find_country(conn, country)
        country = known.code if known else country
    filters = (workspace_id, query.platform, country, query.banned)
    rows = await conn.fetch(LIST, *filters, query.per_page, query.offset)
    total = await conn.fetchval(COUNT, *filters)
    return [_account(row) for row in rows], query.of(total)


def _account(row: Row) -> SavedAccount:
    manager = row["manager_id"] and ManagerFacts(row["manager_id"], row["display_name"])
    return SavedAccount(
        id=row["id"],
        platform=row["platform"],
        country=row["country"],
        username=row["username"],
        visible_name=row["visible_name"],
        profile_url=row["profile_url"],
        profile_picture_url=row["profile_picture_url"],
        biography=row["biography"],
        status=row["status"],
        banned=row["status"] == "banned",
        bundle_id=row["bundle_id"],
        delivered_at=wire_time(row["delivered_at"]),
        credentials_revealed_at=wire_time(row["credentials_revealed_at"]),
        manager=manager,
        created_at=wire_time(row["created_at"]),
    )
