"""An order, or slots of it, end early: statuses, claim, deadlines and refund in one step.

Operators, customers before a claim, bans and the sixty-day rule all come through here
(contract section 6, Cancel and refunds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle, about_profile, about_slot
from tokportal_server.orders.claims import end_claim, live_claim, reckon_deadline
from tokportal_server.orders.completion import complete_if_done
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import bundle_status_refused, slot_transition_refused
from tokportal_server.orders.locks import Row, find_profile, lock_slots
from tokportal_server.orders.refunds import (
    RefundPlan,
    give_back,
    plan_bundle_refund,
    plan_slots_refund,
    usable_edits,
)
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import BUNDLE, PROFILE, SLOT

# Edit slots that nothing is left for go with the slots.
TAKE_EDITS_OFF = """
UPDATE bundles SET edits_quantity = LEAST(edits_quantity, $3), updated_at = $4
 WHERE workspace_id = $1 AND id = $2
"""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancellation gave back, and the workspace's credits after it."""

    refund: RefundPlan
    credits_remaining: int


async def cancel_locked_bundle(
    tx: UnitOfWork, bundle: Row, *, actor: Actor, reason: str, amount: int | None = None
) -> Cancelled:
    """Cancel a locked bundle with everything in it that is not final.

    ``amount`` replaces the refund of the rule (operators only), in whole credits.

    Raises:
        BundleStatusError: it is completed, cancelled or archived.
        ValidationError: ``amount`` is not between 0 and what was paid and not refunded.
    """
    if not BUNDLE.allows(bundle["status"], "cancelled"):
        raise bundle_status_refused(bundle, " or ".join(BUNDLE.allowed_from("cancelled")))
    profile = await find_profile(tx, bundle)
    slots = await lock_slots(tx, bundle)
    plan = await plan_bundle_refund(tx, bundle, profile, slots, amount=amount)
    await end_claim(tx, bundle, "cancelled", reason=reason)
    if profile is not None and PROFILE.allows(profile["status"], "cancelled"):
        await move(
            tx,
            PROFILE,
            profile,
            "cancelled",
            actor=actor,
            reason=reason,
            data=about_profile(bundle, profile),
            review_deadline_at=None,
        )
    for slot in slots:
        if SLOT.allows(slot["status"], "cancelled"):
            await _end_slot(tx, bundle, slot, actor=actor, reason=reason)
    await move(
        tx,
        BUNDLE,
        bundle,
        "cancelled",
        actor=actor,
        reason=reason,
        data=about_bundle(bundle),
        cancelled_at=tx.now,
        priority_at=None,
        updated_at=tx.now,
    )
    cause = f"bundle:{bundle['id']}:cancel"
    balance = await give_back(
        tx, bundle, plan, actor=actor, cause=cause, description=f"Bundle cancelled: {reason}"
    )
    return Cancelled(plan, balance)


async def cancel_locked_slots(
    tx: UnitOfWork,
    bundle: Row,
    gone: Sequence[Row],
    *,
    actor: Actor,
    reason: str,
    rules: OrderRules,
    amount: int | None = None,
) -> Cancelled:
    """Cancel slots (at least one) of a locked bundle, and complete it if they were the last open.

    Raises:
        SlotTransitionError: one of them is finalized or cancelled.
        ValidationError: ``amount`` is not between 0 and what was paid for the slots.
    """
    for slot in gone:
        if not SLOT.allows(slot["status"], "cancelled"):
            raise slot_transition_refused(slot, "cancelled")
    await find_profile(tx, bundle)
    slots = await lock_slots(tx, bundle)
    await live_claim(tx, bundle)
    plan = await plan_slots_refund(tx, bundle, gone, slots, amount=amount)
    left = usable_edits(slots, gone)
    await tx.conn.execute(TAKE_EDITS_OFF, tx.workspace_id, bundle["id"], left, tx.now)
    for slot in gone:
        await _end_slot(tx, bundle, slot, actor=actor, reason=reason)
    await reckon_deadline(tx, bundle, rules)
    await complete_if_done(tx, bundle, actor)
    # A slot is cancelled once, so the first of them names what happens here for good.
    cause = f"slot:{gone[0]['id']}:cancel"
    numbers = ", ".join(str(slot["position"]) for slot in gone)
    balance = await give_back(
        tx,
        bundle,
        plan,
        actor=actor,
        cause=cause,
        description=f"Slot {numbers} cancelled: {reason}",
    )
    return Cancelled(plan, balance)


async def _end_slot(tx: UnitOfWork, bundle: Row, slot: Row, *, actor: Actor, reason: str) -> None:
    await move(
        tx,
        SLOT,
        slot,
        "cancelled",
        actor=actor,
        reason=reason,
        data=about_slot(bundle, slot),
        # Work that was handed in has used its edit slot; otherwise another slot may take it.
        uses_edit_slot=slot["uses_edit_slot"] and slot["submitted_at"] is not None,
        publish_when_ready=False,
        download_issue=None,
        review_deadline_at=None,
        updated_at=tx.now,
    )
