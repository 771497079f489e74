"""``publishBundleVideo``: offer one configured slot of a published bundle to the manager."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import bundle_status_refused, slot_transition_refused
from tokportal_server.orders.locks import Row, lock_bundle, lock_slot
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.publishing import Published, StaleDates, publish_slots

LIVE_BUNDLE = ("published", "published_priority", "accepted")
SLOT_OF_MEDIA = "SELECT bundle_id, position FROM slots WHERE workspace_id = $1 AND id = $2"


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
        StaleDatesError, MediaFailedError: as :func:`publish_slots`.
    """
    bundle = await lock_bundle(tx, bundle_id)
    slot = await lock_slot(tx, bundle, position)
    if bundle["status"] not in LIVE_BUNDLE:
        raise bundle_status_refused(bundle, "a published or accepted bundle; publish it first")
    if slot["status"] != "configured":
        raise slot_transition_refused(slot, "published")
    done = await publish_slots(
        tx, bundle, [slot["id"]], actor=actor, rules=rules, stale_dates=stale_dates
    )
    return slot, done


async def publish_ready_slot(
    *, tx: UnitOfWork, actor: Actor, slot_id: UUID, rules: OrderRules
) -> None:
    """Publish a slot whose media has just arrived, if that is what it was waiting for."""
    found = await tx.conn.fetchrow(SLOT_OF_MEDIA, tx.workspace_id, slot_id)
    if found is None:
        return
    bundle = await lock_bundle(tx, found["bundle_id"])
    slot = await lock_slot(tx, bundle, found["position"])
    wanted = slot["publish_when_ready"] and slot["media_status"] == "ready"
    if wanted and slot["status"] == "configured" and bundle["status"] in LIVE_BUNDLE:
        await publish_slots(tx, bundle, [slot["id"]], actor=actor, rules=rules)
