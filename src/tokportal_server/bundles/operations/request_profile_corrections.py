"""``requestBundleAccountCorrections``: the account that was set up is not right yet."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.bundles.touch import touch_bundle
from tokportal_server.bundles.wire import AccountCorrectionsRequest
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_profile
from tokportal_server.orders.claims import reckon_deadline
from tokportal_server.orders.corrections import begin_round
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import profile_status_refused
from tokportal_server.orders.locks import lock_bundle, lock_profile
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import PROFILE


async def request_profile_corrections(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    request: AccountCorrectionsRequest,
    rules: OrderRules,
) -> None:
    """Send the profile back to its manager with a comment and feedback by field.

    Raises:
        BundleNotFoundError, ListingNotFoundError: there is no such bundle, or no profile in it.
        AccountStatusError: the profile is not in review.
    """
    bundle = await lock_bundle(tx, bundle_id)
    profile = await lock_profile(tx, bundle)
    if profile["status"] != "in_review":
        raise profile_status_refused(profile, ["in_review"])
    await begin_round(tx, bundle_id, slot_id=None, comment=request.comment, fields=request.fields)
    await move(
        tx,
        PROFILE,
        profile,
        "pending_corrections",
        actor=actor,
        reason=request.comment,
        data=about_profile(bundle, profile),
        review_deadline_at=None,
    )
    await touch_bundle(tx, bundle_id)
    await reckon_deadline(tx, bundle, rules)
