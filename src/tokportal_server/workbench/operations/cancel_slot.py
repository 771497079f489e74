"""An operator takes one slot out of an order, by the same rule as a whole one."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.cancellation import Cancelled, cancel_locked_slots
from tokportal_server.orders.locks import lock_bundle, lock_slot
from tokportal_server.orders.rules import OrderRules
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import write_audit


async def cancel_slot(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    position: int,
    reason: str,
    rules: OrderRules,
    amount: int | None = None,
) -> Cancelled:
    """Cancel a slot that is not finalized; the bundle is completed if that was its last open part.

    Its price and options go back if it never reached review, or ``amount`` (whole credits) instead.
    A bundle of which every slot is cancelled is not completed by that: cancel it too.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        SlotTransitionError: it is finalized or cancelled.
        ValidationError: no reason is given, or ``amount`` is out of its bounds.
    """
    check_reason(reason)
    bundle = await lock_bundle(tx, bundle_id)
    slot = await lock_slot(tx, bundle, position)
    done = await cancel_locked_slots(
        tx, bundle, [slot], actor=actor, reason=reason, rules=rules, amount=amount
    )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="slot.cancel",
        subject=("video", slot["id"]),
        actor=actor,
        reason=reason,
        details={
            "bundle_id": str(bundle_id),
            "position": position,
            "refund": done.refund.breakdown,
            "by_rule": amount is None,
        },
    )
    return done
