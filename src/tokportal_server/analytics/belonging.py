"""Filters that name things: each must be the workspace's own, else it is a 404 (contract 11)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tokportal_server.accounts.locks import account_not_found
from tokportal_server.analytics.errors import post_not_found
from tokportal_server.lib.db import Connection

OWN_ACCOUNTS = "SELECT id FROM saved_accounts WHERE workspace_id = $1 AND id = ANY ($2::uuid[])"
OWN_POSTS = "SELECT id FROM tracked_posts WHERE workspace_id = $1 AND id = ANY ($2::uuid[])"


async def require_own_accounts(
    conn: Connection, workspace_id: UUID, account_ids: Sequence[UUID] | None
) -> None:
    """Make sure that all accounts of a filter are the workspace's.

    Raises:
        SavedAccountNotFoundError: one is not.
    """
    if account_ids:
        found = await conn.fetch(OWN_ACCOUNTS, workspace_id, account_ids)
        for missing in set(account_ids) - {row["id"] for row in found}:
            raise account_not_found(missing)


async def require_own_posts(
    conn: Connection, workspace_id: UUID, post_ids: Sequence[UUID] | None
) -> None:
    """Make sure that all posts of a filter are tracked by the workspace.

    Raises:
        PostNotFoundError: one is not.
    """
    if post_ids:
        found = await conn.fetch(OWN_POSTS, workspace_id, post_ids)
        for missing in set(post_ids) - {row["id"] for row in found}:
            raise post_not_found(missing)
