"""Who works on an account: its manager, or who holds a live claim on an order of it."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.errors import NotAccountsManagerError
from tokportal_server.accounts.locks import lock_account
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

HOLDS_CLAIM = """
SELECT 1 FROM claims c
  JOIN bundles b ON b.workspace_id = c.workspace_id AND b.id = c.bundle_id
 WHERE b.workspace_id = $1 AND b.saved_account_id = $2 AND c.status = 'live' AND c.manager_id = $3
"""


async def lock_managed_account(tx: UnitOfWork, actor: Actor, account_id: UUID) -> Row:
    """Lock an account that the acting manager looks after; give its row.

    Raises:
        SavedAccountNotFoundError: there is no such account.
        NotAccountsManagerError: another manager does, or nobody.
    """
    account = await lock_account(tx, account_id)
    if not _looks_after(actor, account):
        raise _not_yours(account)
    return account


async def lock_worked_account(tx: UnitOfWork, actor: Actor, account_id: UUID) -> Row:
    """Lock an account on which the acting manager holds a live claim; give its row.

    Raises:
        SavedAccountNotFoundError: there is no such account.
        NotAccountsManagerError: they hold none.
    """
    account = await lock_account(tx, account_id)
    if not await _holds_claim(tx, actor, account):
        raise _not_yours(account)
    return account


async def lock_own_account(tx: UnitOfWork, actor: Actor, account_id: UUID) -> Row:
    """Lock an account that the acting manager looks after, or holds a live claim on.

    Raises:
        SavedAccountNotFoundError: there is no such account.
        NotAccountsManagerError: neither is so.
    """
    account = await lock_account(tx, account_id)
    if not _looks_after(actor, account) and not await _holds_claim(tx, actor, account):
        raise _not_yours(account)
    return account


def _looks_after(actor: Actor, account: Row) -> bool:
    return account["manager_id"] is not None and account["manager_id"] == actor.id


async def _holds_claim(tx: UnitOfWork, actor: Actor, account: Row) -> bool:
    claim = await tx.conn.fetchval(HOLDS_CLAIM, tx.workspace_id, account["id"], actor.id)
    return claim is not None


def _not_yours(account: Row) -> NotAccountsManagerError:
    return NotAccountsManagerError(
        f"Account {account['username']} is not yours to work on (any more)."
    )
