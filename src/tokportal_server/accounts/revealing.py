"""The way to an account's secrets: agreement, end of management, fee, audit, event.

Credentials and codes take the same way (contract section 9), since a code opens an account too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tokportal_server.accounts.endings import end_work
from tokportal_server.accounts.locks import (
    lock_account,
    lock_account_with_bundles,
    require_delivered,
)
from tokportal_server.accounts.quotes import (
    Quote,
    RevealPolicy,
    charge_fee,
    quote_of,
    require_agreement,
)
from tokportal_server.accounts.wire import CredentialRevealAcceptance
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_profile
from tokportal_server.orders.locks import Row
from tokportal_server.workspaces.audit import write_audit

MANAGEMENT_ENDED: Final = "the account's credentials were revealed and its management ended"
BUNDLE_OF = "SELECT * FROM bundles WHERE workspace_id = $1 AND id = $2"
PROFILE_OF = "SELECT * FROM profiles WHERE workspace_id = $1 AND bundle_id = $2"


@dataclass(frozen=True, slots=True)
class Revealable:
    """A delivered account, locked, with the live bundles that a reveal may end."""

    account: Row
    bundles: Sequence[Row]
    policy: RevealPolicy


async def lock_revealable(tx: UnitOfWork, account_id: UUID, policy: RevealPolicy) -> Revealable:
    """Lock what a reveal is about.

    Raises:
        SavedAccountNotFoundError, AccountNotDeliveredError: there is nothing to reveal.
    """
    bundles: list[Row] = []
    if policy == "acknowledge":
        account, bundles = await lock_account_with_bundles(tx, account_id)
    else:
        account = await lock_account(tx, account_id)
    require_delivered(account)
    return Revealable(account, bundles, policy)


async def admit_reveal(
    tx: UnitOfWork,
    locked: Revealable,
    *,
    acceptance: CredentialRevealAcceptance | None,
    actor: Actor,
) -> tuple[Quote, CreditsMoved]:
    """Let a caller pass who may see the secrets of an account; give what they agreed to.

    If management ends with this call, it has ended when this returns; the fee, if due, is charged.

    Raises:
        RevealConfirmationRequiredError, RevealQuoteChangedError, OwningFeeRequiredError: the
            caller has not agreed to what holds now.
        InsufficientCreditsError: the workspace has less than the owning fee.
    """
    account = locked.account
    quote = await quote_of(tx, account, locked.policy)
    await require_agreement(tx, quote, acceptance)
    if quote.ends_management:
        await end_work(
            tx, account, locked.bundles, "detached", actor=actor, reason=MANAGEMENT_ENDED
        )
    return quote, await charge_fee(tx, account, quote, actor=actor)


async def audit_reveal(
    tx: UnitOfWork, account_id: UUID, action: str, *, actor: Actor, quote: Quote
) -> None:
    """Note who was shown a secret of the account, under which terms."""
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action=action,
        subject=("account", account_id),
        actor=actor,
        details={
            "policy": quote.policy,
            "fee": quote.fee,
            "management_ended": quote.ends_management,
        },
    )


async def audit_replay(tx: UnitOfWork, account_id: UUID, action: str, *, actor: Actor) -> None:
    """Note who was shown a stored answer with a secret of the account again."""
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action=action,
        subject=("account", account_id),
        actor=actor,
        details={"replayed": True},
    )


async def tell_reveal(tx: UnitOfWork, account: Row, quote: Quote) -> None:
    """Emit ``account.revealed``; it holds no secret."""
    of_bundle = (tx.workspace_id, account["bundle_id"])
    bundle = existing(await tx.conn.fetchrow(BUNDLE_OF, *of_bundle))
    profile = existing(await tx.conn.fetchrow(PROFILE_OF, *of_bundle))
    more: dict[str, Any] = {
        "username": account["username"],
        "status": profile["status"],
        "previous_status": profile["status"],
        "management_ended": quote.ends_management,
    }
    tx.emit("account.revealed", about_profile(bundle, profile, **more))
