"""Only the holder of a bundle's live claim works on it, and says why when giving something up."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.locks import Row, lock_bundle
from tokportal_server.workbench.errors import ClaimNotYoursError

_LONGEST_REASON = 500


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


def check_reason(reason: str) -> None:
    """Refuse a reason that tells the customer nothing.

    Raises:
        ValidationError: it is blank, or longer than 500 characters.
    """
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        refuse([Problem("reason", f"must be 1 to {_LONGEST_REASON} characters long", reason)])
