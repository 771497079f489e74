"""``publishBundle``: offer the order to the managers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from tokportal_server.bundles.charging import charge_bundle
from tokportal_server.bundles.pricing import cost_again
from tokportal_server.bundles.readiness import Facts, assess, gather
from tokportal_server.bundles.wire import Hindrance
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle, about_profile
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import BundleStatusError, SavedAccountUnavailableError
from tokportal_server.orders.locks import lock_bundle, lock_profile
from tokportal_server.orders.publishing_pause import PublishingPausedError
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import BUNDLE, PROFILE
from tokportal_server.videos.publishing import (
    MediaFailedError,
    Published,
    StaleDates,
    publish_slots,
)

PAID_AGAIN = """
UPDATE bundles SET charge_state = 'paid', cost_breakdown = $3 WHERE workspace_id = $1 AND id = $2
"""


class AlreadyPublishedError(ApiError):
    """The bundle is published, accepted or completed."""

    code = "BUNDLE_ALREADY_PUBLISHED"
    status = 409
    remedy = "You: nothing is left to do; `GET /bundles/{id}` shows how far it is."


class AccountNotConfiguredError(ApiError):
    """The profile to set up is not configured."""

    code = "ACCOUNT_NOT_CONFIGURED"
    status = 409
    remedy = "You: configure the profile with `PUT /bundles/{id}/account`, then publish."


class AccountMissingFieldsError(ApiError):
    """The profile lacks fields that a manager needs."""

    code = "ACCOUNT_MISSING_FIELDS"
    status = 409
    remedy = (
        "You: add the fields with `PUT /bundles/{id}/account`; `GET /bundles/{id}/publish-"
        "readiness` lists them."
    )


class NoVideosConfiguredError(ApiError):
    """Nothing is configured to be posted."""

    code = "NO_VIDEOS_CONFIGURED"
    status = 409
    remedy = "You: configure a slot with `PUT /bundles/{id}/videos/{position}`, then publish."


BLOCKERS: dict[str, type[ApiError]] = {
    error.code: error
    for error in (
        AlreadyPublishedError,
        BundleStatusError,
        SavedAccountUnavailableError,
        PublishingPausedError,
        AccountNotConfiguredError,
        AccountMissingFieldsError,
        NoVideosConfiguredError,
        MediaFailedError,
        # Too few credits to pay again is what a balance always answers: 402, not a blocker's 409.
    )
}


@dataclass(frozen=True, slots=True)
class Publication:
    """What publishing did."""

    videos: Published
    warnings: list[Hindrance]
    credits: CreditsMoved | None


async def publish_bundle(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    rules: OrderRules,
    stale_dates: StaleDates = "move",
) -> Publication:
    """Publish the profile and the configured slots of a bundle that is being set up.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
        one of BLOCKERS: with ``details.blockers``, all of them.
        StaleDatesError: a date has gone stale, and ``stale_dates`` is ``reject``.
        InsufficientCreditsError: its charges were reversed, and there is too little to pay again.
    """
    bundle = await lock_bundle(tx, bundle_id)
    facts = await gather(tx.conn, tx.workspace_id, bundle_id, tx.now)
    readiness = assess(facts)
    _refuse(facts, readiness.blockers)
    chosen = [slot["id"] for slot in facts.configured]
    videos = await publish_slots(
        tx, bundle, chosen, actor=actor, rules=rules, stale_dates=stale_dates
    )
    if facts.profile is not None:
        profile = await lock_profile(tx, bundle)
        data = about_profile(bundle, profile)
        await move(tx, PROFILE, profile, "published", actor=actor, data=data)
    await move(
        tx,
        BUNDLE,
        bundle,
        "published",
        actor=actor,
        data=about_bundle(bundle),
        published_at=tx.now,
        priority_at=tx.now + rules.priority_after,
        updated_at=tx.now,
    )
    # The wallet is locked after everything of the order (design, lock order); too few credits roll
    # the whole transaction back.
    paid = await _pay_again(tx, facts, actor)
    return Publication(videos, readiness.warnings, paid)


def _refuse(facts: Facts, blockers: list[Hindrance]) -> None:
    """Refuse with the first blocker that is a publish's own, showing all."""
    first = next((blocker for blocker in blockers if blocker.code in BLOCKERS), None)
    if first is None:
        return
    raise BLOCKERS[first.code](
        first.message,
        details={
            "blockers": msgspec.to_builtins(blockers),
            "current_status": facts.bundle["status"],
        },
    )


async def _pay_again(tx: UnitOfWork, facts: Facts, actor: Actor) -> CreditsMoved | None:
    """Debit the sold prices anew if the operator had reversed them."""
    bundle = facts.bundle
    if bundle["charge_state"] == "paid":
        return None
    breakdown = cost_again(bundle, facts.slots)
    moved = await charge_bundle(
        tx,
        bundle,
        breakdown=breakdown,
        edits=bundle["edits_quantity"],
        description=f"Bundle {bundle['bundle_type']} charged again",
        actor=actor,
    )
    await tx.conn.execute(PAID_AGAIN, tx.workspace_id, bundle["id"], breakdown)
    return moved
