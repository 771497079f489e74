"""``unscheduleBundleVideo``: take a published slot back before a manager accepts it."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row, lock_bundle, lock_slots
from tokportal_server.orders.states import SLOT
from tokportal_server.videos.queries import slot_at
from tokportal_server.videos.withdrawal import check_withdrawal


async def unschedule_slot(*, tx: UnitOfWork, actor: Actor, bundle_id: UUID, position: int) -> Row:
    """Make a published slot a configured one, with all that it holds.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        SlotTransitionError: it is not published, or a manager works on it.
        LastPublishedVideoError: a published videos_only bundle would have nothing to post.
    """
    bundle = await lock_bundle(tx, bundle_id)
    slots = await lock_slots(tx, bundle)
    slot = slot_at(slots, bundle, position)
    check_withdrawal(bundle, slots, slot, "configured", allowed_from=("published",))
    return await move(
        tx,
        SLOT,
        slot,
        "configured",
        actor=actor,
        data=about_slot(bundle, slot),
        published_at=None,
        publish_when_ready=False,
        updated_at=tx.now,
    )
