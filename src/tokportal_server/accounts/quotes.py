"""What revealing an account's secrets costs and ends, and whether the caller has agreed to it.

Contract section 9: the owning fee is paid once for an account, and where the installation's
``reveal_policy`` is ``acknowledge``, the first reveal ends the management of the account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tokportal_server.accounts.errors import (
    OwningFeeRequiredError,
    RevealConfirmationRequiredError,
    RevealQuoteChangedError,
)
from tokportal_server.accounts.wire import CredentialRevealAcceptance
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

RevealPolicy = Literal["open", "acknowledge"]
FEE_PAID = """
UPDATE saved_accounts SET owning_fee_paid_at = $3 WHERE workspace_id = $1 AND id = $2
"""
_CONSEQUENCES = (
    "Management of the account ends, and with it our support: nobody here works on it any more.",
    "Its live bundles are cancelled; what was paid and not used is given back.",
    "No new videos, comments or edits can be ordered for it.",
)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a reveal means now: ``fee`` in whole credits, and whether it ends the management."""

    policy: RevealPolicy
    fee: int
    ends_management: bool

    @property
    def version(self) -> str:
        """What the caller sends back; another one as soon as anything of the quote is another."""
        return f"{self.policy}-{self.fee}"

    @property
    def asks_for_agreement(self) -> bool:
        """Whether a plain call is refused."""
        return self.ends_management or self.fee > 0

    def details(self) -> dict[str, Any]:
        """Give what a caller has to know before agreeing."""
        told = [*_CONSEQUENCES] if self.ends_management else []
        if self.fee:
            told.append(f"The owning fee of {self.fee} credits is charged, once for the account.")
        return {
            "policy_version": self.version,
            "expected_credit_cost": self.fee,
            "consequences": told,
        }


async def quote_of(tx: UnitOfWork, account: Row, policy: RevealPolicy) -> Quote:
    """Say what a reveal of a locked account means now."""
    paid = account["owning_fee_paid_at"] is not None
    prices = await current_prices(tx.conn, tx.workspace_id)
    return Quote(
        policy=policy,
        fee=0 if paid else prices.owning_fee,
        ends_management=policy == "acknowledge" and account["status"] != "detached",
    )


async def require_agreement(
    tx: UnitOfWork, quote: Quote, acceptance: CredentialRevealAcceptance | None
) -> None:
    """Let a call pass that agrees to the quote, or has nothing to agree to.

    Raises:
        RevealConfirmationRequiredError: 428, it does not say that management may end.
        RevealQuoteChangedError: 409, it agrees to other terms.
        OwningFeeRequiredError: 402, it does not agree to the fee.
    """
    if not quote.asks_for_agreement:
        return
    if acceptance is None or not acceptance.acknowledge_support_forfeit:
        await _refuse_plain_call(tx, quote)
    elif acceptance.policy_version != quote.version:
        raise RevealQuoteChangedError(
            f"policy_version: {acceptance.policy_version!r} is not what holds now, which is"
            f" {quote.version!r}. Read details.consequences, and send that version to agree.",
            details=quote.details(),
        )


async def _refuse_plain_call(tx: UnitOfWork, quote: Quote) -> None:
    if quote.ends_management:
        raise RevealConfirmationRequiredError(
            "Revealing this account's credentials ends its management. Read"
            f" details.consequences; to agree, send acknowledge_support_forfeit: true and"
            f" policy_version: {quote.version!r}.",
            details=quote.details(),
        )
    available = await ledger.spendable(tx.conn, tx.workspace_id, tx.now)
    raise OwningFeeRequiredError(
        f"Owning this account costs {quote.fee} credits once, and the workspace has {available}."
        " To agree, send acknowledge_support_forfeit: true and"
        f" policy_version: {quote.version!r}.",
        details={
            "required": quote.fee,
            "available": available,
            "policy_version": quote.version,
        },
    )


async def charge_fee(tx: UnitOfWork, account: Row, quote: Quote, *, actor: Actor) -> CreditsMoved:
    """Take the owning fee of a locked account, if it is due; give the credit siblings.

    Raises:
        InsufficientCreditsError: the workspace has less than the fee.
    """
    moved, _ = await ledger.debit(
        tx,
        amount=quote.fee,
        description=f"Owning fee of account {account['username']}",
        breakdown={"owning_fee": quote.fee, "total": quote.fee},
        reference=Reference("account", account["id"], f"account:{account['id']}:owning_fee"),
        actor=actor,
    )
    if quote.fee:
        await tx.conn.execute(FEE_PAID, tx.workspace_id, account["id"], tx.now)
    return moved
