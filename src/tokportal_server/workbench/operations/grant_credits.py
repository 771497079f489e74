"""An operator gives a workspace credits."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tokportal_server.credits import ledger
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import write_audit

# More than anybody buys at once, and little enough that a wallet's sum stays an integer.
MOST_CREDITS: Final = 10_000_000
MOST_DAYS: Final = 36_500


async def grant_credits(
    *, tx: UnitOfWork, actor: Actor, amount: int, reason: str, expires_in_days: int | None = None
) -> int:
    """Grant a lot of ``amount`` credits; give the workspace's balance.

    The lot expires by the workspace's clock, or never.

    Raises:
        ValidationError: no reason is given, or amount or days are out of their bounds.
    """
    check_reason(reason)
    refuse(_problems(amount, expires_in_days))
    ends = None if expires_in_days is None else tx.now + timedelta(days=expires_in_days)
    balance = await ledger.grant(
        tx,
        amount=amount,
        source="grant",
        expires_at=ends,
        description=reason,
        business_key=f"grant:{tx.new_id()}",
        actor=actor,
    )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="credits.grant",
        subject=("workspace", tx.workspace_id),
        actor=actor,
        reason=reason,
        details={"amount": amount, "expires_in_days": expires_in_days},
    )
    return balance


def _problems(amount: int, days: int | None) -> list[Problem]:
    problems = []
    if not 1 <= amount <= MOST_CREDITS:
        problems.append(Problem("amount", f"must be 1 to {MOST_CREDITS} credits", amount))
    if days is not None and not 1 <= days <= MOST_DAYS:
        told = f"must be 1 to {MOST_DAYS} days; leave it out for credits that never expire"
        problems.append(Problem("expires_in_days", told, days))
    return problems
