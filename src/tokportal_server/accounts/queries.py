"""Delivered accounts as objects of the contract."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.wire import ListAccountsQuery, ManagerFacts, SavedAccount
from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.orders.locks import Row
from tokportal_server.uploads.media import public_url
from tokportal_server.workspaces.reference import country_filter

_SELECT = """
SELECT a.*, m.display_name, u.storage_key AS picture_key FROM saved_accounts a
  LEFT JOIN managers m ON m.person_id = a.manager_id
  LEFT JOIN profiles p ON p.workspace_id = a.workspace_id AND p.bundle_id = a.bundle_id
  LEFT JOIN media i ON i.workspace_id = p.workspace_id AND i.owner_id = p.id
                   AND i.kind = 'profile_picture'
  LEFT JOIN uploads u ON u.workspace_id = i.workspace_id AND u.id = i.upload_id
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


async def get_account(
    conn: Connection, workspace_id: UUID, account_id: UUID, *, base_url: str
) -> SavedAccount:
    """Give one account, delivered or still in review.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    row = await conn.fetchrow(GET, workspace_id, account_id)
    if row is None:
        raise SavedAccountNotFoundError(
            f"No account {account_id} in this workspace. GET /accounts lists those there are."
        )
    return _account(row, base_url)


async def list_accounts(
    conn: Connection, workspace_id: UUID, query: ListAccountsQuery, *, base_url: str
) -> tuple[list[SavedAccount], Page]:
    """Give a page of accounts, newest first."""
    country = await country_filter(conn, query.country)
    filters = (workspace_id, query.platform, country, query.banned)
    rows = await conn.fetch(LIST, *filters, query.per_page, query.offset)
    total = await conn.fetchval(COUNT, *filters)
    return [_account(row, base_url) for row in rows], query.of(total)


def _account(row: Row, base_url: str) -> SavedAccount:
    # Our own copy of the picture outlives the address that the customer gave.
    key = row["picture_key"]
    picture = row["profile_picture_url"] if key is None else public_url(base_url, key)
    manager = row["manager_id"] and ManagerFacts(row["manager_id"], row["display_name"])
    return SavedAccount(
        id=row["id"],
        platform=row["platform"],
        country=row["country"],
        username=row["username"],
        visible_name=row["visible_name"],
        profile_url=row["profile_url"],
        profile_picture_url=picture,
        biography=row["biography"],
        status=row["status"],
        banned=row["status"] == "banned",
        bundle_id=row["bundle_id"],
        delivered_at=wire_time(row["delivered_at"]),
        credentials_revealed_at=wire_time(row["credentials_revealed_at"]),
        manager=manager,
        created_at=wire_time(row["created_at"]),
    )
