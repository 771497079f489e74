"""``revealAccountCredentials``: the customer takes over what opens an account."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.accounts.quotes import RevealPolicy
from tokportal_server.accounts.revealing import (
    admit_reveal,
    audit_reveal,
    lock_revealable,
    tell_reveal,
)
from tokportal_server.accounts.sealing import open_credentials
from tokportal_server.accounts.wire import CredentialRevealAcceptance, RevealedCredentials
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork

SEALED = "SELECT sealed FROM vault_items WHERE workspace_id = $1 AND saved_account_id = $2"
REVEALED = """
UPDATE saved_accounts SET credentials_revealed_at = COALESCE(credentials_revealed_at, $3)
 WHERE workspace_id = $1 AND id = $2
"""


async def reveal_credentials(
    *,
    tx: UnitOfWork,
    actor: Actor,
    vault: Vault,
    account_id: UUID,
    policy: RevealPolicy,
    acceptance: CredentialRevealAcceptance | None,
) -> tuple[RevealedCredentials, CreditsMoved]:
    """Open the credentials of a delivered account; a dry run leaves the vault closed.

    Raises:
        SavedAccountNotFoundError, AccountNotDeliveredError: there is nothing to reveal.
        RevealConfirmationRequiredError, RevealQuoteChangedError, OwningFeeRequiredError: the
            caller has not agreed to what holds now.
        InsufficientCreditsError: the workspace has less than the owning fee.
    """
    locked = await lock_revealable(tx, account_id, policy)
    quote, moved = await admit_reveal(tx, locked, acceptance=acceptance, actor=actor)
    await tx.conn.execute(REVEALED, tx.workspace_id, account_id, tx.now)
    await audit_reveal(tx, account_id, "account.reveal", actor=actor, quote=quote)
    await tell_reveal(tx, locked.account, quote)
    return await _opened(tx, vault, account_id, locked.account["username"]), moved


async def _opened(
    tx: UnitOfWork, vault: Vault, account_id: UUID, username: str
) -> RevealedCredentials:
    shown = {"username": username, "revealed_at": wire_time(tx.now)}
    if tx.dry_run:
        return RevealedCredentials(
            password=None, email=None, email_password=None, recovery_codes=None, **shown
        )
    row = existing(await tx.conn.fetchrow(SEALED, tx.workspace_id, account_id))
    secret = open_credentials(
        vault, row["sealed"], workspace_id=tx.workspace_id, account_id=account_id
    )
    return RevealedCredentials(
        password=secret.password,
        email=secret.email,
        email_password=secret.email_password,
        recovery_codes=secret.recovery_codes,
        **shown,
    )
