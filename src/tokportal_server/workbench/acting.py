"""Operators act on what belongs to any workspace: whose it is, and on that workspace's clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from tokportal_server.comments.errors import CommentTaskNotFoundError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.errors import BundleNotFoundError, SavedAccountNotFoundError
from tokportal_server.workspaces.lookups import workspace_now

FIND_BUNDLE = "SELECT workspace_id FROM bundles WHERE id = $1"
FIND_ACCOUNT = "SELECT workspace_id FROM saved_accounts WHERE id = $1"
FIND_TASK = "SELECT workspace_id FROM comment_tasks WHERE id = $1"
T = TypeVar("T")


async def workspace_of_bundle(conn: Connection, bundle_id: UUID) -> UUID:
    """Give the workspace that a bundle belongs to.

    Raises:
        BundleNotFoundError: there is no such bundle.
    """
    found: UUID | None = await conn.fetchval(FIND_BUNDLE, bundle_id)
    if found is None:
        raise BundleNotFoundError(
            f"There is no bundle {bundle_id}. Copy its id from the customer's list of bundles."
        )
    return found


async def workspace_of_account(conn: Connection, account_id: UUID) -> UUID:
    """Give the workspace that a delivered account belongs to.

    Raises:
        SavedAccountNotFoundError: there is no such account.
    """
    found: UUID | None = await conn.fetchval(FIND_ACCOUNT, account_id)
    if found is None:
        raise SavedAccountNotFoundError(
            f"There is no account {account_id}. Copy its id from the customer's list of accounts."
        )
    return found


async def workspace_of_task(conn: Connection, task_id: UUID) -> UUID:
    """Give the workspace that a comment task belongs to.

    Raises:
        CommentTaskNotFoundError: there is no such task.
    """
    found: UUID | None = await conn.fetchval(FIND_TASK, task_id)
    if found is None:
        raise CommentTaskNotFoundError(f"There is no comment task {task_id}.")
    return found


async def act(
    conn: Connection,
    workspace_id: UUID,
    operation: Callable[[UnitOfWork], Awaitable[T]],
    *,
    preview: bool = False,
) -> T:
    """Do an operation on the workspace's clock; a preview does it and takes everything back.

    Raises:
        WorkspaceNotFoundError: there is no such workspace; and whatever the operation raises.
    """
    now = await workspace_now(conn, workspace_id)
    async with unit_of_work(conn, workspace_id, now=now, dry_run=preview) as tx:
        return await operation(tx)
