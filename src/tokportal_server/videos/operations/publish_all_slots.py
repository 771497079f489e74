"""``publishAllBundleVideos``: offer every configured slot of a published bundle."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row, find_profile, lock_bundle, lock_slots
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.operations.publish_slot import check_live_bundle
from tokportal_server.videos.publishing import (
    MediaFailedError,
    Published,
    StaleDates,
    publish_slots,
)


async def publish_all_slots(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    rules: OrderRules,
    stale_dates: StaleDates = "move",
) -> tuple[Published, list[tuple[int, str]]]:
    """Publish what is configured; give what was done, and who was skipped by position and code.

    Slots whose media could not be fetched are skipped; empty ones have nothing to be published.

    Raises:
        BundleNotFoundError: there is no such bundle.
        BundleStatusError: it is not published or accepted.
        PublishingPausedError: the operator has stopped publishing.
        StaleDatesError: a date has gone stale, and ``stale_dates`` is ``reject``.
    """
    bundle = await lock_bundle(tx, bundle_id)
    await find_profile(tx, bundle)
    slots: list[Row] = await lock_slots(tx, bundle)
    check_live_bundle(bundle)
    configured = [slot for slot in slots if slot["status"] == "configured"]
    chosen = [slot["id"] for slot in configured if slot["media_status"] != "failed"]
    skipped = [
        (slot["position"], MediaFailedError.code)
        for slot in configured
        if slot["media_status"] == "failed"
    ]
    done = await publish_slots(
        tx, bundle, chosen, actor=actor, rules=rules, stale_dates=stale_dates
    )
    return done, skipped
