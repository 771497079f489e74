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
from tokportal_server.orders.publishing_pause import PublishingPausedError
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.media import MediaNotFoundError
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos import queries
from tokportal_server.videos.errors import (
    InvalidDateError,
    LastPublishedVideoError,
    NoDownloadIssueError,
    NoEditSlotsError,
    StaleDatesError,
    VideoNotEditableError,
    VideosPerDayError,
)
from tokportal_server.videos.operations.configure_slot import configure_slot
from tokportal_server.videos.operations.finalize_slot import finalize_slot
from tokportal_server.videos.operations.fix_download import fix_download
from tokportal_server.videos.operations.patch_slot import patch_slot
from tokportal_server.videos.operations.publish_slot import publish_slot
from tokportal_server.videos.operations.request_slot_corrections import request_slot_corrections
from tokportal_server.videos.operations.reset_slot import reset_slot
from tokportal_server.videos.operations.unschedule_slot import unschedule_slot
from tokportal_server.videos.options import price_options
from tokportal_server.videos.publishing import MediaFailedError, Published, StaleDates
from tokportal_server.videos.requests import (
    FixVideoDownloadRequest,
    PatchVideoRequest,
    VideoCorrectionsRequest,
)
from tokportal_server.videos.wire import HIGHEST_POSITION, ConfigureVideoRequest, Slot

router = Router("Videos")

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


def _position(call: Call) -> int:
    return call.number("position", VideoNotFoundError, most=HIGHEST_POSITION)


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
    position = _position(call)
    slot = await queries.get_slot(
        call.conn, call.who.workspace_id, bundle_id, position, base_url=call.base_url
    )
    return Answer(slot)


async def _price_configuration(call: Call, body: ConfigureVideoRequest) -> CreditsMoved:
    return await price_options(call.tx, [body])


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
        position=_position(call),
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
    errors=(
        BundleStatusError,
        SlotTransitionError,
        PublishingPausedError,
        StaleDatesError,
        MediaFailedError,
    ),
)
async def publish_bundle_video(call: Call) -> Answer:
    """Publish one configured slot; a date that has gone stale is moved, and the answer says so."""
    row, done = await publish_slot(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        position=_position(call),
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
        position=_position(call),
    )
    slot = await _slot(call, row["id"])
    return Answer(slot)


@router.operation(
    "PATCH",
    "/bundles/{id}/videos/{position}",
    "patchBundleVideo",
    summary="Patch video references",
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(InvalidDateError, VideosPerDayError, VideoNotEditableError),
)
async def patch_bundle_video(call: Call, body: PatchVideoRequest) -> Answer:
    """Change names at any time; description and dates until the post is handed in."""
    row = await patch_slot(
        tx=call.tx,
        bundle_id=call.id("id", BundleNotFoundError),
        position=_position(call),
        request=body,
        rules=OrderRules.of(call.ports.settings),
    )
    return Answer(await _slot(call, row["id"]))


@router.operation(
    "POST",
    "/bundles/{id}/videos/{position}/reset",
    "resetBundleVideo",
    summary="Reset one video slot",
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(SlotTransitionError, LastPublishedVideoError),
)
async def reset_bundle_video(call: Call) -> Answer:
    """Empty a slot that nobody works on yet. Options that were bought stay the slot's."""
    row = await reset_slot(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        position=_position(call),
        source=MediaSource.of(call),
    )
    return Answer(await _slot(call, row["id"]))


@router.operation(
    "POST",
    "/bundles/{id}/videos/{position}/unschedule",
    "unscheduleBundleVideo",
    summary="Unschedule one video slot",
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(SlotTransitionError, LastPublishedVideoError),
)
async def unschedule_bundle_video(call: Call) -> Answer:
    """Take a published slot back, as long as no manager has accepted it; it keeps what it holds."""
    row = await unschedule_slot(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        position=_position(call),
    )
    return Answer(await _slot(call, row["id"]))


@router.operation(
    "POST",
    "/bundles/{id}/videos/{position}/corrections",
    "requestBundleVideoCorrections",
    summary="Request video corrections",
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(SlotTransitionError,),
)
async def request_bundle_video_corrections(call: Call, body: VideoCorrectionsRequest) -> Answer:
    """Send a post that is in review back to its manager."""
    row = await request_slot_corrections(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        position=_position(call),
        request=body,
        rules=OrderRules.of(call.ports.settings),
    )
    return Answer(await _slot(call, row["id"]))


@router.operation(
    "POST",
    "/bundles/{id}/videos/{position}/fix-download",
    "fixBundleVideoDownload",
    summary="Fix a broken video download",
    returns=Slot,
    path_errors=_ONE_SLOT,
    errors=(MediaNotFoundError, NoDownloadIssueError),
)
async def fix_bundle_video_download(call: Call, body: FixVideoDownloadRequest) -> Answer:
    """Give the manager other media in place of those that could not be used."""
    row = await fix_download(
        tx=call.tx,
        bundle_id=call.id("id", BundleNotFoundError),
        position=_position(call),
        request=body,
        source=MediaSource.of(call),
    )
    return Answer(await _slot(call, row["id"]))
