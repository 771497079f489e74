"""An operator gives an order's whole price back; publishing it charges the price again."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.cancellation import Cancelled
from tokportal_server.orders.errors import bundle_status_refused
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.orders.refunds import give_back, plan_reversal
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.errors import ChargesReversedError
from tokportal_server.workspaces.audit import write_audit

REVERSE = """
UPDATE bundles SET charge_state = 'reversed', cost_breakdown = $3, updated_at = $4
 WHERE workspace_id = $1 AND id = $2
"""
CLOSE_CHARGES = """
UPDATE bundle_charges SET reversed_at = $3
 WHERE workspace_id = $1 AND bundle_id = $2 AND reversed_at IS NULL
"""


async def reverse_charges(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, reason: str
) -> Cancelled:
    """Give back all that a bundle in pending_setup still costs; its slots' options stay paid.

    What was given back before, for a slot that was cancelled, leaves the cost: it is not sold
    again.

    Raises:
        BundleNotFoundError: there is no such bundle.
        BundleStatusError: it is not being set up.
        ChargesReversedError: its charges are reversed already.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    bundle = await lock_bundle(tx, bundle_id)
    if bundle["status"] != "pending_setup":
        raise bundle_status_refused(bundle, "pending_setup; unpublish it, or cancel it")
    if bundle["charge_state"] == "reversed":
        raise ChargesReversedError(
            f"The charges of bundle {bundle_id} are reversed already; publishing it charges"
            f" {bundle['cost_breakdown']['total']} credits again."
        )
    plan = await plan_reversal(tx, bundle)
    cost = dict.fromkeys(bundle["cost_breakdown"], 0) | plan.breakdown
    await tx.conn.execute(REVERSE, tx.workspace_id, bundle_id, cost, tx.now)
    await tx.conn.execute(CLOSE_CHARGES, tx.workspace_id, bundle_id, tx.now)
    balance = await give_back(
        tx,
        bundle,
        plan,
        actor=actor,
        cause=f"bundle:{bundle_id}:reverse",
        description=f"Charges reversed: {reason}",
    )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="bundle.reverse_charges",
        subject=("bundle", bundle_id),
        actor=actor,
        reason=reason,
        details={"refund": plan.breakdown},
    )
    return Cancelled(plan, balance)
