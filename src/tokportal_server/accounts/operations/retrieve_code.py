"""``retrieveAccountVerificationCode``: the newest code that a platform sent for an account."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from tokportal_server.accounts.errors import VerificationCodeNotFoundError
from tokportal_server.accounts.quotes import RevealPolicy
from tokportal_server.accounts.revealing import (
    admit_reveal,
    audit_reveal,
    lock_revealable,
    tell_reveal,
)
from tokportal_server.accounts.sealing import open_code
from tokportal_server.accounts.wire import CredentialRevealAcceptance, VerificationCode
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.crypto import Vault
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

# Contract section 9: how old a code may be on the workspace's clock.
FRESH: Final = timedelta(minutes=30)
NEWEST = """
SELECT id, sealed, received_at FROM verification_codes
 WHERE workspace_id = $1 AND saved_account_id = $2 AND received_at > $3
 ORDER BY received_at DESC, ordinal DESC LIMIT 1
"""


async def retrieve_code(
    *,
    tx: UnitOfWork,
    actor: Actor,
    vault: Vault,
    account_id: UUID,
    policy: RevealPolicy,
    acceptance: CredentialRevealAcceptance | None,
) -> tuple[VerificationCode, CreditsMoved, timedelta]:
    """Open the newest code not older than 30 minutes; give also how long it stays fresh.

    A dry run leaves the vault closed. A refusal charges nothing and ends nothing.

    Raises:
        VerificationCodeNotFoundError: none came in time.
        SavedAccountNotFoundError, AccountNotDeliveredError: there is no such account to open.
        RevealConfirmationRequiredError, RevealQuoteChangedError, OwningFeeRequiredError,
            InsufficientCreditsError: the caller has not agreed to what holds now, or cannot pay.
    """
    locked = await lock_revealable(tx, account_id, policy)
    row = await tx.conn.fetchrow(NEWEST, tx.workspace_id, account_id, tx.now - FRESH)
    if row is None:
        raise VerificationCodeNotFoundError(
            f"No code for account {locked.account['username']} has come within the last 30"
            " minutes. Have the platform send one, and ask again."
        )
    quote, moved = await admit_reveal(tx, locked, acceptance=acceptance, actor=actor)
    await audit_reveal(tx, account_id, "account.read_code", actor=actor, quote=quote)
    if quote.ends_management:
        await tell_reveal(tx, locked.account, quote)
    return _opened(tx, vault, row), moved, row["received_at"] + FRESH - tx.now


def _opened(tx: UnitOfWork, vault: Vault, row: Row) -> VerificationCode:
    received_at = wire_time(row["received_at"])
    if tx.dry_run:
        return VerificationCode(code=None, received_at=received_at, sender=None, subject=None)
    found = open_code(vault, row["sealed"], workspace_id=tx.workspace_id, code_id=row["id"])
    return VerificationCode(
        code=found.code, received_at=received_at, sender=found.sender, subject=found.subject
    )
