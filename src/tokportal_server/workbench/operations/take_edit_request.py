"""A manager takes up an account whose manager has left, and the change that is asked for on it."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.edit_requests import account_of_request
from tokportal_server.accounts.errors import NotAccountsManagerError
from tokportal_server.accounts.locks import lock_account
from tokportal_server.accounts.states import ACTIVE
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

TAKER = """
SELECT m.active AND m.rehearsal_workspace_id IS NOT DISTINCT FROM
           CASE WHEN w.rehearsal THEN w.id END AS works_here,
       m.countries, m.platforms
  FROM managers m, workspaces w WHERE m.person_id = $1 AND w.id = $2 FOR SHARE OF m
"""
STATUS = "SELECT status FROM edit_requests WHERE workspace_id = $1 AND id = $2"
TAKE = "UPDATE saved_accounts SET manager_id = $3 WHERE workspace_id = $1 AND id = $2"


async def take_edit_request(*, tx: UnitOfWork, actor: Actor, request_id: UUID) -> None:
    """Become the manager of an account that has none, and so of its edit request.

    Raises:
        EditRequestNotFoundError: there is no such request.
        NotAccountsManagerError: somebody looks after the account, or it is in no country or on no
            platform of this manager, or it or the request is over.
    """
    account = await lock_account(tx, await account_of_request(tx, request_id))
    taker = existing(await tx.conn.fetchrow(TAKER, actor.id, tx.workspace_id))
    status = await tx.conn.fetchval(STATUS, tx.workspace_id, request_id)
    if why := _not_open(account, taker, status):
        raise NotAccountsManagerError(f"Account {account['username']}: {why}.")
    await tx.conn.execute(TAKE, tx.workspace_id, account["id"], actor.id)


def _not_open(account: Row, taker: Row, status: str) -> str | None:
    if account["status"] != "active":
        return f"it is {account['status']}"
    if account["manager_id"] is not None:
        return "somebody else was faster"
    if status not in ACTIVE:
        return f"its edit request is {status}"
    if not taker["works_here"]:
        return "your account is not active"
    if account["country"] not in taker["countries"]:
        return f"{account['country']} is not one of your countries"
    if account["platform"] not in taker["platforms"]:
        return f"{account['platform']} is not one of your platforms"
    return None
