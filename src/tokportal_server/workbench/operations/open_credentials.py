"""A manager at work looks up what opens the account."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.operations.reveal_credentials import SEALED
from tokportal_server.accounts.sealing import open_credentials as unseal
from tokportal_server.accounts.wire import Credentials
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.account_guard import lock_worked_account
from tokportal_server.workspaces.audit import write_audit


async def open_credentials(
    *, tx: UnitOfWork, actor: Actor, vault: Vault, account_id: UUID
) -> Credentials:
    """Open the credentials for whoever holds a live claim on the account; audited, not a reveal.

    Raises:
        SavedAccountNotFoundError, NotAccountsManagerError: the manager has no claim on it.
    """
    await lock_worked_account(tx, actor, account_id)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="account.open_credentials",
        subject=("account", account_id),
        actor=actor,
    )
    row = existing(await tx.conn.fetchrow(SEALED, tx.workspace_id, account_id))
    return unseal(vault, row["sealed"], workspace_id=tx.workspace_id, account_id=account_id)
