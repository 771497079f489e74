"""A claim is given back, or lapses: the order is offered again."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle, about_slot
from tokportal_server.orders.claims import end_claim
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row, lock_slots
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import BUNDLE, SLOT
from tokportal_server.workbench.claim_guard import check_reason, lock_claimed_bundle


async def release_claim(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, reason: str, rules: OrderRules
) -> None:
    """Give a claimed bundle back, with the reason that the customer may read.

    Raises:
        BundleNotFoundError, ClaimNotYoursError: the manager does not hold it.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    bundle = await lock_claimed_bundle(tx, actor, bundle_id)
    await offer_again(tx, bundle, "released", actor=actor, reason=reason, rules=rules)


async def offer_again(
    tx: UnitOfWork,
    bundle: Row,
    how: Literal["released", "missed"],
    *,
    actor: Actor,
    reason: str,
    rules: OrderRules,
) -> None:
    """End the live claim of a locked, accepted bundle; what was not posted yet waits again.

    Slots further on, and the profile, keep their status (contract section 7, Release).
    """
    await end_claim(tx, bundle, how, reason=reason)
    for slot in await lock_slots(tx, bundle):
        if slot["status"] == "accepted":
            await move(
                tx,
                SLOT,
                slot,
                "published",
                actor=actor,
                reason=reason,
                data=about_slot(bundle, slot),
                accepted_at=None,
                workable_at=None,
                updated_at=tx.now,
            )
    await move(
        tx,
        BUNDLE,
        bundle,
        "published",
        actor=actor,
        reason=reason,
        data=about_bundle(bundle),
        accepted_at=None,
        priority_at=tx.now + rules.priority_after,
        updated_at=tx.now,
    )
