"""``finalizeBundleVideo``: the post is right; by the customer, by itself, or after 72 hours."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.completion import complete_if_done
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import slot_transition_refused
from tokportal_server.orders.locks import Row, lock_bundle, lock_slot
from tokportal_server.orders.states import SLOT


async def finalize_slot(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    position: int,
    reason: str | None = None,
) -> Row:
    """Finalize a slot that is in review, and the bundle if that was the last of it.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        SlotTransitionError: it is not in review.
    """
    bundle = await lock_bundle(tx, bundle_id)
    slot = await lock_slot(tx, bundle, position)
    if slot["status"] != "in_review":
        raise slot_transition_refused(slot, "finalized")
    finalized = await finalize_locked(tx, bundle, slot, actor=actor, reason=reason)
    await complete_if_done(tx, bundle, actor)
    return finalized


async def finalize_locked(
    tx: UnitOfWork, bundle: Row, slot: Row, *, actor: Actor, reason: str | None = None
) -> Row:
    """Finalize a locked slot in review."""
    return await move(
        tx,
        SLOT,
        slot,
        "finalized",
        actor=actor,
        reason=reason,
        data=about_slot(bundle, slot),
        finalized_at=tx.now,
        review_deadline_at=None,
        updated_at=tx.now,
    )
