"""Delivered accounts, their edit requests and bans as objects of the contract."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.locks import account_not_found
from tokportal_server.accounts.wire import (
    AccountBan,
    EditRequest,
    ListAccountBansQuery,
    ListAccountsQuery,
    ManagerFacts,
    SavedAccount,
)
from tokportal_server.http.paging import Page
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection, existing
from tokportal_server.orders.locks import Row
from tokportal_server.uploads.media import public_url
from tokportal_server.workspaces.reference import country_filter

_SELECT = """
SELECT a.*, m.display_name, u.storage_key AS picture_key FROM saved_accounts a
  LEFT JOIN managers m ON m.person_id = a.manager_id
  LEFT JOIN profiles p ON p.workspace_id = a.workspace_id AND p.bundle_id = a.bundle_id
  LEFT JOIN media i ON i.workspace_id = a.workspace_id
                   AND i.owner_id = COALESCE(a.picture_owner_id, p.id)
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
_REQUEST = """
SELECT r.*, u.storage_key AS picture_key FROM edit_requests r
  LEFT JOIN media i ON i.workspace_id = r.workspace_id AND i.owner_id = r.id
                   AND i.kind = 'profile_picture'
  LEFT JOIN uploads u ON u.workspace_id = i.workspace_id AND u.id = i.upload_id
 WHERE r.workspace_id = $1
"""
REQUEST = _REQUEST + " AND r.id = $2"
ACTIVE_REQUEST = (
    _REQUEST + " AND r.saved_account_id = $2 AND r.status IN ('pending', 'in_progress')"
)
EXISTS = "SELECT 1 FROM saved_accounts WHERE workspace_id = $1 AND id = $2"
_BANS = """
  FROM account_bans n
  JOIN saved_accounts a ON a.workspace_id = n.workspace_id AND a.id = n.saved_account_id
 WHERE n.workspace_id = $1
   AND ($2::text IS NULL OR $2 = 'active')
   AND ($3::text IS NULL
        OR $3 = CASE WHEN n.credits_refunded > 0 THEN 'refunded' ELSE 'not_refunded' END)
   AND ($4::uuid IS NULL OR n.saved_account_id = $4)
   AND ($5::timestamptz IS NULL OR n.banned_at >= $5)
"""
LIST_BANS = (
    "SELECT n.*, a.bundle_id, a.username, a.platform, a.country"
    + _BANS
    + " ORDER BY n.ordinal DESC LIMIT $6 OFFSET $7"
)
COUNT_BANS = "SELECT count(*)" + _BANS


async def get_account(
    conn: Connection, workspace_id: UUID, account_id: UUID, *, base_url: str
) -> SavedAccount:
    """Give one account, delivered or still in review.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    row = await conn.fetchrow(GET, workspace_id, account_id)
    if row is None:
        raise account_not_found(account_id)
    return _account(row, base_url)


async def require_account(conn: Connection, workspace_id: UUID, account_id: UUID) -> None:
    """Make sure that an account is the workspace's, in review or delivered.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    if await conn.fetchval(EXISTS, workspace_id, account_id) is None:
        raise account_not_found(account_id)


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


async def get_edit_request(
    conn: Connection, workspace_id: UUID, request_id: UUID, *, base_url: str
) -> EditRequest:
    """Give an edit request that is there."""
    row = existing(await conn.fetchrow(REQUEST, workspace_id, request_id))
    return _edit_request(row, base_url)


async def active_edit_request(
    conn: Connection, workspace_id: UUID, account_id: UUID, *, base_url: str
) -> EditRequest | None:
    """Give the edit request of an account that is not over, or None.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    row = await conn.fetchrow(ACTIVE_REQUEST, workspace_id, account_id)
    if row is not None:
        return _edit_request(row, base_url)
    await require_account(conn, workspace_id, account_id)
    return None


def _edit_request(row: Row, base_url: str) -> EditRequest:
    key = row["picture_key"]
    picture = row["requested_profile_picture_url"] if key is None else public_url(base_url, key)
    return EditRequest(
        id=row["id"],
        edit_request_id=row["id"],
        account_id=row["saved_account_id"],
        status=row["status"],
        requested_username=row["requested_username"],
        requested_visible_name=row["requested_visible_name"],
        requested_biography=row["requested_biography"],
        requested_profile_picture_url=picture,
        requested_link_in_bio=row["requested_link_in_bio"],
        reason=row["reason"],
        created_at=wire_time(row["created_at"]),
        completed_at=wire_time(row["completed_at"]),
    )


async def list_account_bans(
    conn: Connection, workspace_id: UUID, query: ListAccountBansQuery
) -> tuple[list[AccountBan], Page]:
    """Give a page of bans, newest first.

    Raises:
        SavedAccountNotFoundError: ``account_id`` is no account of the workspace.
    """
    if query.account_id is not None:
        await require_account(conn, workspace_id, query.account_id)
    filters = (workspace_id, query.status, query.resolution, query.account_id, query.earliest)
    rows = await conn.fetch(LIST_BANS, *filters, query.per_page, query.offset)
    total = await conn.fetchval(COUNT_BANS, *filters)
    return [_ban(row) for row in rows], query.of(total)


def _ban(row: Row) -> AccountBan:
    return AccountBan(
        id=row["id"],
        account_id=row["saved_account_id"],
        bundle_id=row["bundle_id"],
        username=row["username"],
        platform=row["platform"],
        country=row["country"],
        reason=row["reason"],
        status="active",
        appeal_status=None,
        resolution="refunded" if row["credits_refunded"] else "not_refunded",
        credits_refunded=row["credits_refunded"],
        bundles_cancelled=row["bundles_cancelled"],
        banned_at=wire_time(row["banned_at"]),
    )
