"""``configureBundleVideo``: replace what a slot holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import existing
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import VideoNotFoundError, VideoStatusError
from tokportal_server.orders.locks import Row, find_profile, lock_bundle, lock_slots
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import SLOT
from tokportal_server.uploads.media import MediaLink, link_media, media_status
from tokportal_server.uploads.source import MediaSource
from tokportal_server.uploads.wire import MediaError, MediaKind, MediaStatus
from tokportal_server.videos.errors import NoEditSlotsError
from tokportal_server.videos.options import buy_options, options_of
from tokportal_server.videos.platform_rules import platform_problems
from tokportal_server.videos.publishing import Published, StaleDates, publish_slots
from tokportal_server.videos.schedule import Calendar, lead_days, window_end
from tokportal_server.videos.wire import ConfigureVideoRequest, SlotContent
from tokportal_server.workspaces.reference import get_platform

CONFIGURABLE = ("pending", "configured", "pending_corrections")
REPLACE = """
UPDATE slots SET content = $3, video_type = $4, name = $5, external_ref = $6, target_start = $7,
       target_end = $8, date_adjusted = date_adjusted AND target_start = $7, uses_edit_slot = $9,
       publish_when_ready = $10, media_status = $11, media_error = NULL, updated_at = $12
 WHERE workspace_id = $1 AND id = $2
RETURNING *
"""


@dataclass(slots=True)
class Configured:
    """What configuring did: ``credits`` for new options, and how auto_publish ended."""

    slot_id: UUID
    credits: CreditsMoved
    published: Published = field(default_factory=Published)
    refusal: MediaError | None = None


async def configure_slot(
    *,
    tx: UnitOfWork,
    actor: Actor,
    bundle_id: UUID,
    position: int,
    request: ConfigureVideoRequest,
    source: MediaSource,
    rules: OrderRules,
    stale_dates: StaleDates = "move",
) -> Configured:
    """Replace a slot's contents, buy what options it needs, and publish it if asked to.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        VideoStatusError: the slot is past configuring.
        ValidationError, InvalidDateError, VideosPerDayError, NoEditSlotsError, MediaNotFoundError:
            the request breaks a rule.
        InsufficientCreditsError: too few credits for new options.
    """
    bundle = await lock_bundle(tx, bundle_id)
    # Everything that publishing may need is locked now, before the wallet.
    profile = await find_profile(tx, bundle)
    slots = await lock_slots(tx, bundle)
    await live_claim(tx, bundle)
    slot = _at(slots, bundle, position)
    platform = await get_platform(tx.conn, bundle["platform"])
    refuse(list(platform_problems(request, platform)))
    if slot["status"] not in CONFIGURABLE:
        raise VideoStatusError(
            f"Slot {position} is {slot['status']}; it can be configured while it is"
            f" {', '.join(CONFIGURABLE)}. Unschedule or reset it first.",
            details={"current_status": slot["status"], "allowed_from": list(CONFIGURABLE)},
        )
    # A date that stays as it is was accepted before; corrections come back long after it.
    if request.target_publish_date != slot["target_start"]:
        Calendar(slots).check(
            slot["id"], request.target_publish_date, now=tx.now, lead=lead_days(profile)
        )
    uses_edit = _uses_edit_slot(bundle, slots, slot, request)
    media = await _link(tx, bundle, slot, request, source)
    moved = await buy_options(tx, slot, options_of(request), actor)
    replaced = await _replace(tx, bundle, slot, request, media, uses_edit=uses_edit)
    if slot["status"] == "pending":
        data = about_slot(bundle, replaced)
        await move(tx, SLOT, replaced, "configured", actor=actor, data=data)
    configured = Configured(slot["id"], moved)
    if _publishes(bundle, slot, request):
        await _auto_publish(
            tx, bundle, configured, actor=actor, rules=rules, stale_dates=stale_dates
        )
    return configured


def _at(slots: list[Row], bundle: Row, position: int) -> Row:
    for slot in slots:
        if slot["position"] == position:
            return slot
    raise VideoNotFoundError(
        f"Bundle {bundle['id']} has no slot {position}; its positions are 1 to {len(slots)}."
    )


def _uses_edit_slot(
    bundle: Row, slots: list[Row], slot: Row, request: ConfigureVideoRequest
) -> bool:
    """Say whether the slot takes one of the bundle's edit slots; in corrections it keeps its."""
    if not request.editing_instructions:
        return bool(slot["uses_edit_slot"]) and slot["status"] == "pending_corrections"
    taken = sum(1 for other in slots if other["uses_edit_slot"] and other["id"] != slot["id"])
    if taken >= bundle["edits_quantity"]:
        raise NoEditSlotsError(
            f"editing_instructions: all {bundle['edits_quantity']} edit slots of the bundle are in"
            f" use. Add one (POST /bundles/{bundle['id']}/add-edit-slots) or leave it out.",
            details={"edits_quantity": bundle["edits_quantity"], "edits_remaining": 0},
        )
    return True


async def _replace(
    tx: UnitOfWork,
    bundle: Row,
    slot: Row,
    request: ConfigureVideoRequest,
    media: MediaStatus,
    *,
    uses_edit: bool,
) -> Row:
    on_its_way = bundle["status"] == "pending_setup" and bool(request.auto_publish)
    content = msgspec.convert(request, SlotContent, from_attributes=True)
    replaced = await tx.conn.fetchrow(
        REPLACE,
        tx.workspace_id,
        slot["id"],
        msgspec.to_builtins(content),
        request.video_type,
        request.name,
        request.external_ref,
        request.target_publish_date,
        window_end(request.target_publish_date),
        uses_edit,
        on_its_way,
        media,
        tx.now,
    )
    return existing(replaced)


async def _link(
    tx: UnitOfWork, bundle: Row, slot: Row, request: ConfigureVideoRequest, source: MediaSource
) -> MediaStatus:
    """Make the request's media the slot's, and give their status taken together."""
    wanted: dict[MediaKind, list[str]] = {
        "video": [request.video_url] if request.video_url else [],
        "carousel_image": request.carousel_images or [],
        "story_image": [request.story_image_url] if request.story_image_url else [],
    }
    links: list[MediaLink] = []
    for kind, values in wanted.items():
        links += await link_media(
            tx,
            bundle_id=bundle["id"],
            owner_kind="slot",
            owner_id=slot["id"],
            kind=kind,
            values=values,
            base_url=source.base_url,
            policy=source.policy,
        )
    return media_status(link.status for link in links)


def _publishes(bundle: Row, slot: Row, request: ConfigureVideoRequest) -> bool:
    """Say whether auto_publish publishes now; a bundle that is being set up is never published.

    In corrections the slot keeps its status, and the manager works on: there is nothing to publish.
    """
    return (
        bool(request.auto_publish)
        and bundle["status"] != "pending_setup"
        and slot["status"] != "pending_corrections"
    )


async def _auto_publish(
    tx: UnitOfWork,
    bundle: Row,
    configured: Configured,
    *,
    actor: Actor,
    rules: OrderRules,
    stale_dates: StaleDates,
) -> None:
    """Publish at once; a refusal leaves the configuration standing, and is told."""
    try:
        async with tx.savepoint():
            configured.published = await publish_slots(
                tx, bundle, [configured.slot_id], actor=actor, rules=rules, stale_dates=stale_dates
            )
    except ApiError as error:
        configured.refusal = MediaError(error.code, error.message)
