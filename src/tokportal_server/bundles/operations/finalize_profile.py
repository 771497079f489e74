"""``finalizeBundleAccount``: the account is right, and delivered."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.bundles.touch import touch_bundle
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_profile
from tokportal_server.orders.claims import reckon_deadline
from tokportal_server.orders.completion import complete_if_done
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import profile_status_refused
from tokportal_server.orders.locks import lock_bundle, lock_profile
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import PROFILE
from tokportal_server.videos.workable import make_workable

DELIVER = """
UPDATE saved_accounts SET delivered_at = $3
 WHERE workspace_id = $1 AND id = $2 AND delivered_at IS NULL
"""


async def finalize_profile(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    rules: OrderRules,
    reason: str | None = None,
) -> None:
    """Deliver the account of a profile in review; its slots become workable.

    Raises:
        BundleNotFoundError, ListingNotFoundError: there is no such bundle, or no profile in it.
        AccountStatusError: the profile is not in review.
    """
    bundle = await lock_bundle(tx, bundle_id)
    profile = await lock_profile(tx, bundle)
    if profile["status"] != "in_review":
        raise profile_status_refused(profile, ["in_review"])
    await move(
        tx,
        PROFILE,
        profile,
        "finalized",
        actor=actor,
        reason=reason,
        data=about_profile(bundle, profile),
        finalized_at=tx.now,
        review_deadline_at=None,
    )
    await tx.conn.execute(DELIVER, tx.workspace_id, bundle["saved_account_id"], tx.now)
    await touch_bundle(tx, bundle_id)
    await make_workable(tx, bundle)
    await reckon_deadline(tx, bundle, rules)
    await complete_if_done(tx, bundle, actor)
