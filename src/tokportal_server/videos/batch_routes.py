"""Operations of the reference's group Videos that are about many slots of a bundle at once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from tokportal_server.http.answers import Answer, CreditsMoved
from tokportal_server.http.call import Call
from tokportal_server.http.errors import UnknownFieldError
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.http.registry import Form, Router
from tokportal_server.http.validation import Problem, check_fields, decode_body, refuse
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import BundleNotFoundError, BundleStatusError
from tokportal_server.orders.publishing_pause import PublishingPausedError
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.limits import FileTooLargeError
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos.batch_wire import (
    BatchConfigureVideosRequest,
    BatchResult,
    ConfiguredVideo,
    CsvForm,
    CsvResult,
    FailedVideo,
    ItemError,
    PublishedVideos,
    SkippedVideo,
)
from tokportal_server.videos.csv_sheet import MAX_ROWS, RowProblem, Sheet, read_sheet
from tokportal_server.videos.errors import StaleDatesError
from tokportal_server.videos.operations.configure_slots import ConfiguredSlots, configure_slots
from tokportal_server.videos.operations.publish_all_slots import publish_all_slots
from tokportal_server.videos.options import price_options
from tokportal_server.videos.routes import stale_dates_of
from tokportal_server.videos.wire import ConfigureVideoRequest

router = Router("Videos")

CSV_MAX_BYTES = 5_000_000
_IN_BUNDLE: tuple[type[ApiError], ...] = (BundleNotFoundError,)


def form_limits() -> dict[str, FormLimits]:
    """Give, by operation id, how large a CSV may be while it arrives."""
    return {"importBundleVideosCsv": FormLimits(CSV_MAX_BYTES, _too_large)}


def _too_large(limit: int) -> FileTooLargeError:
    return FileTooLargeError(
        f"file: a CSV may have {limit // 1_000_000} MB and {MAX_ROWS} rows. Send it in parts.",
        details={"field": "file", "max_bytes": limit},
    )


async def _configure(
    call: Call,
    tx: UnitOfWork,
    bundle_id: UUID,
    wanted: dict[int, ConfigureVideoRequest | ApiError],
) -> ConfiguredSlots:
    return await configure_slots(
        tx=tx,
        actor=call.who.actor,
        bundle_id=bundle_id,
        wanted=wanted,
        source=MediaSource.of(call),
        rules=OrderRules.of(call.ports.settings),
        stale_dates=stale_dates_of(call),
    )


def _read_items(body: BatchConfigureVideosRequest) -> dict[int, ConfigureVideoRequest | ApiError]:
    """Read each item as configureBundleVideo would; what cannot be read is its refusal."""
    wanted: dict[int, ConfigureVideoRequest | ApiError] = {}
    common = {} if body.auto_publish is None else {"auto_publish": body.auto_publish}
    for item in body.videos:
        fields: dict[str, Any] = {**common, **item}
        position: int = fields.pop("position")
        try:
            wanted[position] = decode_body(ConfigureVideoRequest, msgspec.json.encode(fields))
        except ApiError as error:
            wanted[position] = error
    return wanted


async def _price_batch(call: Call, body: BatchConfigureVideosRequest) -> CreditsMoved:
    read = _read_items(body).values()
    return await price_options(
        call.tx, [request for request in read if isinstance(request, ConfigureVideoRequest)]
    )


@router.operation(
    "PUT",
    "/bundles/{id}/videos/batch",
    "batchConfigureBundleVideos",
    summary="Configure video slots in bulk",
    more_headers=("StaleDates",),
    returns=BatchResult,
    path_errors=_IN_BUNDLE,
    moves_credits=True,
    price=_price_batch,
)
async def batch_configure_bundle_videos(call: Call, body: BatchConfigureVideosRequest) -> Answer:
    """Configure slots in order of position; each succeeds or fails alone, and the answer says how.

    When the credits run out, what is left fails with `INSUFFICIENT_CREDITS` and the rest stands.
    """
    bundle_id = call.id("id", BundleNotFoundError)
    done = await _configure(call, call.tx, bundle_id, _read_items(body))
    result = BatchResult(
        bundle_id=bundle_id,
        configured=[
            ConfiguredVideo(
                position=slot["position"],
                video_id=slot["id"],
                status=slot["status"],
                media_status=slot["media_status"],
                auto_publish_error=done.automatic.refusals.get(slot["id"], msgspec.UNSET),
            )
            for slot in done.configured
        ],
        failed=[
            FailedVideo(position, ItemError(error.code, error.message, error.details))
            for position, error in sorted(done.failed.items())
        ],
        adjusted_videos=done.automatic.published.adjusted,
    )
    return Answer(result, credits=done.credits)


async def _price_sheet(call: Call) -> CreditsMoved:
    sheet = await _read_file(call)
    return await price_options(call.tx, list(sheet.requests.values()))


@router.operation(
    "POST",
    "/bundles/{id}/videos/import-csv",
    "importBundleVideosCsv",
    summary="Import video slots from CSV",
    more_headers=("StaleDates",),
    returns=CsvResult,
    path_errors=_IN_BUNDLE,
    errors=(UnknownFieldError, FileTooLargeError),
    moves_credits=True,
    price=_price_sheet,
    form=Form(
        fields=CsvForm,
        file_description=f"A CSV in UTF-8 with a header row, at most {MAX_ROWS} rows and 5 MB.",
    ),
)
async def import_bundle_videos_csv(call: Call) -> Answer:
    """Configure slots from the rows of a CSV, as configureBundleVideo would each of them.

    Rows are taken in order of position; each succeeds or fails alone, and `errors` says why, by the
    number that a spreadsheet shows beside the row. A file that is no such table changes nothing.
    """
    sheet = await _read_file(call)
    bundle_id = call.id("id", BundleNotFoundError)
    done = await _configure(call, call.tx, bundle_id, {**sheet.requests})
    return Answer(csv_result(sheet, done), credits=done.credits)


async def _read_file(call: Call) -> Sheet:
    form = _read_form(call)
    return await asyncio.to_thread(read_sheet, call.file.path, auto_publish=form.auto_publish)


def _read_form(call: Call) -> CsvForm:
    fields = call.file.fields
    problems, unknown = check_fields(CsvForm, fields, strict=False)
    if unknown and not problems:
        raise UnknownFieldError(
            f"Unknown field(s): {', '.join(unknown)}. Known: file, auto_publish.",
            details={"fields": unknown},
        )
    refuse(problems + [Problem(name, "is not a field of this request") for name in unknown])
    return msgspec.convert(fields, CsvForm, strict=False)


def csv_result(sheet: Sheet, done: ConfiguredSlots) -> CsvResult:
    """Say what became of the rows of a sheet."""
    for position, error in done.failed.items():
        sheet.blame(sheet.row_of[position], error)
    positions = {slot["id"]: slot["position"] for slot in done.configured}
    sheet.problems += [
        RowProblem(sheet.row_of[positions[slot_id]], "auto_publish", refusal.code, refusal.message)
        for slot_id, refusal in done.automatic.refusals.items()
    ]
    return CsvResult(
        imported=len(done.configured),
        skipped=sheet.skipped,
        errors=sorted(sheet.problems, key=lambda problem: problem.row),
        adjusted_videos=done.automatic.published.adjusted,
    )


@router.operation(
    "POST",
    "/bundles/{id}/videos/publish-all",
    "publishAllBundleVideos",
    summary="Publish all configured videos on an active bundle",
    more_headers=("StaleDates",),
    returns=PublishedVideos,
    path_errors=_IN_BUNDLE,
    errors=(BundleStatusError, PublishingPausedError, StaleDatesError),
)
async def publish_all_bundle_videos(call: Call) -> Answer:
    """Publish every configured slot; those whose media could not be fetched are skipped."""
    bundle_id = call.id("id", BundleNotFoundError)
    done, skipped = await publish_all_slots(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=bundle_id,
        rules=OrderRules.of(call.ports.settings),
        stale_dates=stale_dates_of(call),
    )
    result = PublishedVideos(
        bundle_id=bundle_id,
        videos_published=len(done.published),
        video_ids=done.published,
        videos_waiting_media=done.waiting,
        skipped=[SkippedVideo(position, code) for position, code in skipped],
        adjusted_videos=done.adjusted,
    )
    return Answer(result)
