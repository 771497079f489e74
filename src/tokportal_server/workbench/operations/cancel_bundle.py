"""An operator cancels an order, with the refund of the rule or another one."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.cancellation import Cancelled, cancel_locked_bundle
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import write_audit


async def cancel_bundle(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, reason: str, amount: int | None = None
) -> Cancelled:
    """Cancel a bundle that is not completed: claim, deadlines and everything not final end.

    ``amount`` (whole credits, 0 to what was paid and not refunded) replaces the refund of contract
    section 6. In a dry run nothing is written, and what is answered is what would have been.

    Raises:
        BundleNotFoundError: there is no such bundle.
        BundleStatusError: it is completed, cancelled or archived.
        ValidationError: no reason is given, or ``amount`` is out of its bounds.
    """
    check_reason(reason)
    bundle = await lock_bundle(tx, bundle_id)
    done = await cancel_locked_bundle(tx, bundle, actor=actor, reason=reason, amount=amount)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="bundle.cancel",
        subject=("bundle", bundle_id),
        actor=actor,
        reason=reason,
        details={"refund": done.refund.breakdown, "by_rule": amount is None},
    )
    return done
