"""Operations of the reference's group Videos."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.http.answers import Answer, CreditsMoved
from tokportal_server.http.call import Call
from tokportal_server.http.errors import OptionNotOfferedError
from tokportal_server.http.registry import Router
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.errors import (
    BundleNotFoundError,
    BundleStatusError,
    SlotTransitionError,
    VideoNotFoundError,
    VideoStatusError,
)
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.media import MediaNotFoundError
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos import queries
from tokportal_server.videos.errors import (
    InvalidDateError,
    NoEditSlotsError,
    StaleDatesError,
    VideosPerDayError,
)
from tokportal_server.videos.operations.configure_slot import configure_slot
from tokportal_server.videos.operations.finalize_slot import finalize_slot
from tokportal_server.videos.operations.publish_slot import publish_slot
from tokportal_server.videos.options import options_of, price_options
from tokportal_server.videos.publishing import MediaFailedError, Published, StaleDates
from tokportal_server.videos.wire import ConfigureVideoRequest, Slot

router = Router("Videos")

HIGHEST_POSITION = 1000
_IN_BUNDLE: tuple[type[ApiError], ...] = (BundleNotFoundError,)
_ONE_SLOT: tuple[type[ApiError], ...] = (BundleNotFoundError, VideoNotFoundError)


def stale_dates_of(call: Call) -> StaleDates:
    """Read ``X-TokPortal-Stale-Dates``: ``reject`` asks to be refused instead of rescheduled.

    Raises:
        ValidationError: it is neither; a typo must never move a date.
    """
    given = call.headers.get(b"x-tokportal-stale-dates", b"move").decode("latin-1").strip()
    if given.lower() not in ("move", "reject"):
        refuse([Problem("X-TokPortal-Stale-Dates", "must be move or reject", given)])
    return "reject" if given.lower() == "reject" else "move"


async def _slot(call: Call, slot_id: UUID) -> Slot:
    """Give a slot as the running transaction has made it."""
    return await queries.slot_object(
        call.tx.conn, call.tx.workspace_id, slot_id, base_url=call.base_url
    )


def _with_moved_date(slot: Slot, done: Published) -> Slot:
    """Say which date publishing the slot has moved, if it has."""
    for moved in done.adjusted:
        slot = msgspec.structs.replace(
            slot, original_date=moved.previous_date, new_date=moved.new_date
        )
    return slot


@router.operation(
    "GET",
    "/bundles/{id}/videos",
    "listBundleVideos",
    summary="List bundle video slots",
    returns=list[Slot],
    path_errors=_IN_BUNDLE,
)
async def list_bundle_videos(call: Call) -> Answer:
    """Every slot of the bundle by position; not paginated."""
    bundle_id = call.id("id", BundleNotFoundError)
    slots = await queries.list_slots(
        call.conn, call.who.workspace_id, bundle_id, base_url=call.base_url
    )
    return Answer(slots)


@router.operation(
    "GET",
    "/bundles/{id}/videos/{position}",
    "getBundleVideo",
    summary="Get video slot configuration",
    returns=Slot,
    path_errors=_ONE_SLOT,
)
async def get_bundle_video(call: Call) -> Answer:
    """One slot: what it holds, where it stands, what its media are."""
    bundle_id = call.id("id", BundleNotFoundError)
    position = call.number("position", VideoNotFoundError, most=HIGHEST_POSITION)
    slot = await queries.get_slot(
        call.conn, call.who.workspace_id, bundle_id, position, base_url=call.base_url
    )
    return Answer(slot)


async def _price_configuration(call: Call, body: ConfigureVideoRequest) -> CreditsMoved:
    return await price_options(call.tx, options_of(body))


@router.operation(
    "PUT",
    "/bundles/{id}/videos/{position}",
    "configureBundleVideo",
    summary="Configure a video slot",
    more_headers=("StaleDates",),
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(
        InvalidDateError,
        VideosPerDayError,
        NoEditSlotsError,
        MediaNotFoundError,
        OptionNotOfferedError,
        VideoStatusError,
        InsufficientCreditsError,
    ),
    moves_credits=True,
    price=_price_configuration,
)
async def configure_bundle_video(call: Call, body: ConfigureVideoRequest) -> Answer:
    """Replace what the slot holds. Paid options are charged the first time that they are used."""
    done = await configure_slot(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        position=call.number("position", VideoNotFoundError, most=HIGHEST_POSITION),
        request=body,
        source=MediaSource.of(call),
        rules=OrderRules.of(call.ports.settings),
        stale_dates=stale_dates_of(call),
    )
    slot = _with_moved_date(await _slot(call, done.slot_id), done.published)
    if done.refusal is not None:
        slot = msgspec.structs.replace(slot, auto_publish_error=done.refusal)
    return Answer(slot, credits=done.credits)


@router.operation(
    "POST",
    "/bundles/{id}/videos/{position}/publish",
    "publishBundleVideo",
    summary="Publish one video slot",
    more_headers=("StaleDates",),
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(BundleStatusError, SlotTransitionError, StaleDatesError, MediaFailedError),
)
async def publish_bundle_video(call: Call) -> Answer:
    """Publish one configured slot; a date that has gone stale is moved, and the answer says so."""
    row, done = await publish_slot(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        position=call.number("position", VideoNotFoundError, most=HIGHEST_POSITION),
        rules=OrderRules.of(call.ports.settings),
        stale_dates=stale_dates_of(call),
    )
    slot = await _slot(call, row["id"])
    return Answer(_with_moved_date(slot, done))


@router.operation(
    "POST",
    "/bundles/{id}/videos/{position}/finalize",
    "finalizeBundleVideo",
    summary="Finalize video review",
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(SlotTransitionError,),
)
async def finalize_bundle_video(call: Call) -> Answer:
    """Approve the post that the manager submitted."""
    row = await finalize_slot(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        position=call.number("position", VideoNotFoundError, most=HIGHEST_POSITION),
    )
    slot = await _slot(call, row["id"])
    return Answer(slot)
