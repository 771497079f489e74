"""Only the holder of a bundle's live claim works on it."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.locks import Row, lock_bundle
from tokportal_server.workbench.errors import ClaimNotYoursError


async def lock_claimed_bundle(tx: UnitOfWork, actor: Actor, bundle_id: UUID) -> Row:
    """Lock a bundle that the acting manager has claimed; give its row.

    Raises:
        BundleNotFoundError: there is no such bundle.
        ClaimNotYoursError: it is claimed by nobody, or by somebody else.
    """
    bundle = await lock_bundle(tx, bundle_id)
    claim = await live_claim(tx, bundle)
    if claim is None or claim["manager_id"] != actor.id:
        raise ClaimNotYoursError(
            f"You do not hold the claim on bundle {bundle_id} (any more). Claim it from the queue"
            " if it is still offered."
        )
    return bundle
