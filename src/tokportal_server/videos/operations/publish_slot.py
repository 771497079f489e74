"""``publishBundleVideo``: offer one configured slot of a published bundle to the manager."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import bundle_status_refused, slot_transition_refused
from tokportal_server.orders.locks import Row, lock_bundle, lock_slot
from tokportal_server.orders.publishing_pause import pauses_of
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.publishing import Published, StaleDates, publish_slots

LIVE_BUNDLE = ("published", "published_priority", "accepted")
SLOT_OF_MEDIA = "SELECT bundle_id, position FROM slots WHERE workspace_id = $1 AND id = $2"


def check_live_bundle(bundle: Row) -> None:
    """Refuse to offer slots of a bundle that is not offered itself.

    Raises:
        BundleStatusError: it is not published or accepted.
    """
    if bundle["status"] not in LIVE_BUNDLE:
        raise bundle_status_refused(bundle, "a published or accepted bundle; publish it first")


async def publish_slot(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    position: int,
    rules: OrderRules,
    stale_dates: StaleDates = "move",
) -> tuple[Row, Published]:
    """Publish one slot; give its row as it was, and what was done.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        BundleStatusError: the bundle is not published or accepted.
        SlotTransitionError: the slot is not configured.
        PublishingPausedError, StaleDatesError, MediaFailedError: as :func:`publish_slots`.
    """
    bundle = await lock_bundle(tx, bundle_id)
    slot = await lock_slot(tx, bundle, position)
    check_live_bundle(bundle)
    if slot["status"] != "configured":
        # The table leads back to published from accepted too, but that is the manager's release.
        raise slot_transition_refused(slot, "published", allowed_from=["configured"])
    done = await publish_slots(
        tx, bundle, [slot["id"]], actor=actor, rules=rules, stale_dates=stale_dates
    )
    return slot, done


async def publish_ready_slot(
    *, tx: UnitOfWork, actor: Actor, slot_id: UUID, rules: OrderRules
) -> None:
    """Publish a slot whose media has just arrived, if that is what it was waiting for.

    While the operator has stopped publishing it goes on waiting; the sweep of deadlines publishes
    it afterwards.
    """
    found = await tx.conn.fetchrow(SLOT_OF_MEDIA, tx.workspace_id, slot_id)
    if found is None:
        return
    bundle = await lock_bundle(tx, found["bundle_id"])
    slot = await lock_slot(tx, bundle, found["position"])
    if not await pauses_of(tx.conn, tx.workspace_id, bundle["saved_account_id"]):
        await publish_if_ready(tx, bundle, slot, actor=actor, rules=rules)


async def publish_if_ready(
    tx: UnitOfWork, bundle: Row, slot: Row, *, actor: Actor, rules: OrderRules
) -> bool:
    """Publish a locked slot that was only waiting for its media; say whether it was.

    Raises:
        PublishingPausedError: the operator has stopped publishing.
    """
    wanted = slot["publish_when_ready"] and slot["media_status"] == "ready"
    if not wanted or slot["status"] != "configured" or bundle["status"] not in LIVE_BUNDLE:
        return False
    await publish_slots(tx, bundle, [slot["id"]], actor=actor, rules=rules)
    return True
