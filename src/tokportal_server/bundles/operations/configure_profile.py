"""``configureBundleAccount``: what the manager is to set up."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.bundles.touch import touch_bundle
from tokportal_server.bundles.wire import ConfigureAccountRequest
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_profile
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import AccountStatusError, profile_status_refused
from tokportal_server.orders.locks import lock_bundle, lock_profile
from tokportal_server.orders.states import PROFILE
from tokportal_server.uploads.media import link_media
from tokportal_server.uploads.source import MediaSource

CONFIGURABLE = ["pending", "configured"]
REPLACE = """
UPDATE profiles SET username = $3, visible_name = $4, biography = $5, profile_picture_url = $6,
       link_in_bio = $7, niche_warming_instructions = COALESCE($8, niche_warming_instructions),
       configured_at = $9
 WHERE workspace_id = $1 AND bundle_id = $2
RETURNING *
"""


async def configure_profile(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    request: ConfigureAccountRequest,
    source: MediaSource,
) -> None:
    """Replace the wanted profile of a bundle that is not published.

    Raises:
        BundleNotFoundError, ListingNotFoundError: there is no such bundle, or no profile in it.
        ValidationError, MediaNotFoundError: the request breaks a rule.
        AccountStatusError: the bundle is published, or the profile is past configuring.
    """
    bundle = await lock_bundle(tx, bundle_id)
    profile = await lock_profile(tx, bundle)
    if request.link_in_bio and bundle["platform"] != "instagram":
        refuse([Problem("link_in_bio", f"is for Instagram only; this is {bundle['platform']}")])
    if profile["status"] not in CONFIGURABLE:
        raise profile_status_refused(profile, CONFIGURABLE)
    if bundle["status"] != "pending_setup":
        raise AccountStatusError(
            f"Bundle {bundle_id} is {bundle['status']}; its profile is configured before it is"
            " published. Unpublish it first.",
            details={"current_status": bundle["status"], "allowed_from": ["pending_setup"]},
        )
    picture = request.profile_picture_url
    await link_media(
        tx,
        bundle_id=bundle_id,
        owner_kind="profile",
        owner_id=profile["id"],
        kind="profile_picture",
        values=[picture] if picture else [],
        base_url=source.base_url,
        policy=source.policy,
    )
    replaced = existing(
        await tx.conn.fetchrow(
            REPLACE,
            tx.workspace_id,
            bundle_id,
            request.username,
            request.visible_name,
            request.biography or None,
            picture or None,
            request.link_in_bio or None,
            request.niche_warming_instructions or None,
            tx.now,
        )
    )
    await touch_bundle(tx, bundle_id)
    if profile["status"] == "pending":
        data = about_profile(bundle, replaced)
        await move(tx, PROFILE, replaced, "configured", actor=actor, data=data)
