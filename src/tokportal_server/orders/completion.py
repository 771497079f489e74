"""When an order is done (contract section 6)."""

from __future__ import annotations

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle
from tokportal_server.orders.claims import end_claim
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row, find_profile, lock_slots
from tokportal_server.orders.states import BUNDLE, FINAL_SLOT_STATUSES


async def complete_if_done(tx: UnitOfWork, bundle: Row, actor: Actor) -> Row:
    """Complete a locked, accepted bundle if nothing is left to do; give its row.

    Done is: the profile, where there is one, is finalized; every slot is finalized or cancelled,
    and at least one is finalized if there are slots.
    """
    if bundle["status"] != "accepted":
        return bundle
    profile = await find_profile(tx, bundle)
    if profile is not None and profile["status"] != "finalized":
        return bundle
    statuses = {slot["status"] for slot in await lock_slots(tx, bundle)}
    if statuses - set(FINAL_SLOT_STATUSES) or (statuses and "finalized" not in statuses):
        return bundle
    await end_claim(tx, bundle, "completed")
    return await move(
        tx,
        BUNDLE,
        bundle,
        "completed",
        actor=actor,
        data=about_bundle(bundle),
        completed_at=tx.now,
        updated_at=tx.now,
    )
