"""``requestBundleVideoCorrections``: the post that the manager handed in is not right yet."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.claims import live_claim, reckon_deadline
from tokportal_server.orders.corrections import begin_round
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import slot_transition_refused
from tokportal_server.orders.locks import Row, find_profile, lock_bundle, lock_slots
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import SLOT
from tokportal_server.videos.queries import slot_at
from tokportal_server.videos.requests import VideoCorrectionsRequest


async def request_slot_corrections(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    position: int,
    request: VideoCorrectionsRequest,
    rules: OrderRules,
) -> Row:
    """Send a slot back to its manager with a comment and feedback by field: a new round.

    If nobody holds the order at the moment, the round waits for whoever claims it next.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        SlotTransitionError: it is not in review.
    """
    bundle = await lock_bundle(tx, bundle_id)
    await find_profile(tx, bundle)
    slot = slot_at(await lock_slots(tx, bundle), bundle, position)
    await live_claim(tx, bundle)
    if slot["status"] != "in_review":
        raise slot_transition_refused(slot, "pending_corrections")
    await begin_round(
        tx, bundle_id, slot_id=slot["id"], comment=request.comment, fields=request.fields
    )
    sent_back = await move(
        tx,
        SLOT,
        slot,
        "pending_corrections",
        actor=actor,
        reason=request.comment,
        data=about_slot(bundle, slot),
        review_deadline_at=None,
        updated_at=tx.now,
    )
    await reckon_deadline(tx, bundle, rules)
    return sent_back
