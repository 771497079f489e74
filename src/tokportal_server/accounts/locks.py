"""Locking accounts: after the bundles that post on them, before wallet and lots."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.errors import AccountNotDeliveredError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import SavedAccountNotFoundError
from tokportal_server.orders.locks import Row

LOCK_ACCOUNT = """
SELECT * FROM saved_accounts WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE
"""
LOCK_LIVE_BUNDLES = """
SELECT * FROM bundles
 WHERE workspace_id = $1 AND saved_account_id = $2
   AND status IN ('pending_setup', 'published', 'published_priority', 'accepted')
 ORDER BY id FOR UPDATE
"""
LIVE_BUNDLES = """
SELECT id FROM bundles
 WHERE workspace_id = $1 AND saved_account_id = $2
   AND status IN ('pending_setup', 'published', 'published_priority', 'accepted')
"""


class _OrderedMeanwhileError(Exception):
    """A bundle came between the two locks."""


async def lock_account(tx: UnitOfWork, account_id: UUID) -> Row:
    """Lock an account and give its row; no order for it is made while the lock is held.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
    """
    row = await tx.conn.fetchrow(LOCK_ACCOUNT, tx.workspace_id, account_id)
    if row is None:
        raise account_not_found(account_id)
    return row


async def lock_account_with_bundles(tx: UnitOfWork, account_id: UUID) -> tuple[Row, list[Row]]:
    """Lock an account and every live bundle that works on it; give their rows.

    Raises:
        SavedAccountNotFoundError: the workspace has none with this id.
    """
    while True:
        try:
            # Going back lets the locks go, so that they are taken in their order again.
            async with tx.savepoint():
                return await _lock_both(tx, account_id)
        except _OrderedMeanwhileError:
            continue


async def _lock_both(tx: UnitOfWork, account_id: UUID) -> tuple[Row, list[Row]]:
    bundles = await tx.conn.fetch(LOCK_LIVE_BUNDLES, tx.workspace_id, account_id)
    account = await lock_account(tx, account_id)
    # What was ordered while we waited for the account.
    live = await tx.conn.fetch(LIVE_BUNDLES, tx.workspace_id, account_id)
    if {row["id"] for row in live} - {row["id"] for row in bundles}:
        raise _OrderedMeanwhileError
    return account, list(bundles)


def account_not_found(account_id: object) -> SavedAccountNotFoundError:
    """Give the 404 for an account."""
    return SavedAccountNotFoundError(
        f"No account {account_id} in this workspace. GET /accounts lists those there are."
    )


def require_delivered(account: Row) -> None:
    """Refuse what only its owner may do with an account that is still in review.

    Raises:
        AccountNotDeliveredError: 404.
    """
    if account["delivered_at"] is None:
        raise AccountNotDeliveredError(
            f"Account {account['username']} is in review and not delivered yet. Approve its"
            f" profile first: POST /bundles/{account['bundle_id']}/account/finalize."
        )
