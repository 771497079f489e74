"""``resetBundleVideo``: empty a slot that nobody works on; what was paid for it stays paid."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row, lock_bundle, lock_slots
from tokportal_server.orders.states import SLOT
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos.media_links import link_slot_media
from tokportal_server.videos.queries import slot_at
from tokportal_server.videos.wire import SlotContent
from tokportal_server.videos.withdrawal import check_withdrawal


async def reset_slot(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, position: int, source: MediaSource
) -> Row:
    """Bring a slot back to as it was ordered, and give its edit slot and its day to others.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        SlotTransitionError: it is empty already, or a manager works on it.
        LastPublishedVideoError: a published videos_only bundle would have nothing to post.
    """
    bundle = await lock_bundle(tx, bundle_id)
    slots = await lock_slots(tx, bundle)
    slot = slot_at(slots, bundle, position)
    check_withdrawal(bundle, slots, slot, "pending", allowed_from=("configured", "published"))
    await link_slot_media(tx, slot, SlotContent(), source)
    return await move(
        tx,
        SLOT,
        slot,
        "pending",
        actor=actor,
        data=about_slot(bundle, slot),
        content={},
        video_type=None,
        name=None,
        external_ref=None,
        uses_edit_slot=False,
        target_start=None,
        target_end=None,
        date_adjusted=False,
        publish_when_ready=False,
        media_status="none",
        media_error=None,
        download_issue=None,
        published_at=None,
        updated_at=tx.now,
    )
