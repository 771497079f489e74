"""A customer cancels an order before a manager has begun it; a page of the console, no API call."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.bundles.errors import BundleAcceptedError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.cancellation import Cancelled, cancel_locked_bundle
from tokportal_server.orders.locks import lock_bundle

REASON = "Cancelled by the customer"


async def cancel_own_bundle(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, reason: str = REASON
) -> Cancelled:
    """Cancel a bundle that nobody works on, by the refund rule (contract section 6).

    Possible in pending_setup, published and published_priority, until something of it has been in
    review. For owners and members of the workspace: whoever calls this sees to that.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
        BundleAcceptedError: a manager has it, or has handed something of it in.
        BundleStatusError: it is cancelled or archived already.
    """
    bundle = await lock_bundle(tx, bundle_id)
    if bundle["status"] in ("accepted", "completed") or bundle["reviewed_once"]:
        raise BundleAcceptedError(
            f"Bundle {bundle_id} is {bundle['status']}: a manager works on it or has handed"
            " something of it in. Ask the operator to cancel it.",
            details={"current_status": bundle["status"]},
        )
    return await cancel_locked_bundle(tx, bundle, actor=actor, reason=reason)
