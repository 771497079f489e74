"""An operator corrects a workspace's balance, up or down."""

from __future__ import annotations

from tokportal_server.credits import ledger
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.operations.grant_credits import MOST_CREDITS
from tokportal_server.workspaces.audit import write_audit


async def adjust_credits(*, tx: UnitOfWork, actor: Actor, amount: int, reason: str) -> int:
    """Add ``amount`` credits that never expire, or take them away if it is negative.

    Gives the new balance.

    Raises:
        ValidationError: no reason is given, or ``amount`` is 0 or out of its bounds.
        InsufficientCreditsError: the workspace has less than is to be taken away.
    """
    check_reason(reason)
    if amount == 0 or abs(amount) > MOST_CREDITS:
        bounds = f"must be 1 to {MOST_CREDITS} credits, or as many below zero"
        refuse([Problem("amount", bounds, amount)])
    balance = await ledger.adjust(
        tx,
        amount=amount,
        description=reason,
        business_key=f"adjustment:{tx.new_id()}",
        actor=actor,
    )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="credits.adjust",
        subject=("workspace", tx.workspace_id),
        actor=actor,
        reason=reason,
        details={"amount": amount},
    )
    return balance
