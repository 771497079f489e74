"""The direct uploads of the reference's group Uploads."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

import msgspec

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call, Effect
from tokportal_server.http.errors import DryRunIdError, UnknownFieldError
from tokportal_server.http.pipeline import FormLimits
from tokportal_server.http.registry import Form, Router
from tokportal_server.http.validation import Problem, check_fields, refuse
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import NullStore, ObjectStore
from tokportal_server.lib.unit_of_work import DRY_RUN_PREFIX, UnitOfWork
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.uploads.ingest import Ingested, ingest_image, ingest_video
from tokportal_server.uploads.limits import (
    FileTooLargeError,
    ImageTooLargeError,
    MediaUnreadableError,
    UnsupportedMediaTypeError,
    VideoTooLongError,
    file_too_large,
    media_limits,
)
from tokportal_server.uploads.media import public_url
from tokportal_server.uploads.operations.record_upload import discard_unrecorded, record_upload
from tokportal_server.uploads.queries import require_bundle
from tokportal_server.uploads.wire import ImageForm, Purpose, UploadedMedia, VideoForm

F = TypeVar("F", VideoForm, ImageForm)

_LONGEST_FILENAME = 255
_REFUSALS = (
    UnknownFieldError,
    DryRunIdError,
    FileTooLargeError,
    UnsupportedMediaTypeError,
    MediaUnreadableError,
    ImageTooLargeError,
    BundleNotFoundError,
)

router = Router("Uploads")


def form_limits(settings: Settings) -> dict[str, FormLimits]:
    """Give, by operation id, how large a direct upload may be while it arrives."""
    return {
        "uploadVideoDirect": FormLimits(settings.video_max_bytes, file_too_large),
        "uploadImageDirect": FormLimits(settings.image_max_bytes, file_too_large),
    }


@router.operation(
    "POST",
    "/upload/video/direct",
    "uploadVideoDirect",
    summary="Upload a video file directly",
    returns=UploadedMedia,
    errors=(*_REFUSALS, VideoTooLongError),
    effects=True,
    form=Form(fields=VideoForm, file_description="The video: MP4, MOV or WebM."),
)
async def upload_video_direct(call: Call) -> Effect:
    """Store a video as it is. Its type is read from its bytes; name and part type do not count."""
    form = _read_form(call, VideoForm)
    await _find_bundle(call, form.bundle_id)
    media = await ingest_video(
        call.file.path,
        workspace_id=call.who.workspace_id,
        storage=_storage(call),
        limits=media_limits(call.ports.settings),
    )
    return _effect(call, form.bundle_id, "video", media)


@router.operation(
    "POST",
    "/upload/image/direct",
    "uploadImageDirect",
    summary="Upload an image file directly",
    returns=UploadedMedia,
    errors=_REFUSALS,
    effects=True,
    form=Form(fields=ImageForm, file_description="The image: JPEG, PNG, WebP, GIF, HEIC or HEIF."),
)
async def upload_image_direct(call: Call) -> Effect:
    """Store an image: upright, without metadata such as its place; HEIC and HEIF become JPEG."""
    form = _read_form(call, ImageForm)
    await _find_bundle(call, form.bundle_id)
    media = await ingest_image(
        call.file.path,
        workspace_id=call.who.workspace_id,
        storage=_storage(call),
        limits=media_limits(call.ports.settings),
    )
    return _effect(call, form.bundle_id, form.purpose, media)


def _read_form(call: Call, kind: type[F]) -> F:
    """Check the text fields and the file's name, every problem at once.

    Raises:
        ValidationError: something is missing, wrong or unknown.
        UnknownFieldError: nothing is wrong but fields that do not exist.
        DryRunIdError: the bundle is one that a dry run imagined.
    """
    fields = call.file.fields
    problems, unknown = check_fields(kind, fields, strict=False)
    if len(call.file.filename) > _LONGEST_FILENAME:
        problems.append(
            Problem("file", f"must have a name of at most {_LONGEST_FILENAME} characters")
        )
    if unknown and not problems:
        known = ", ".join(["file", *(field.encode_name for field in msgspec.structs.fields(kind))])
        raise UnknownFieldError(
            f"Unknown field(s): {', '.join(unknown)}. Known: {known}.", details={"fields": unknown}
        )
    refuse(problems + [Problem(name, "is not a field of this request") for name in unknown])
    form = msgspec.convert(fields, kind, strict=False)
    call.refuse_dry_run_id("bundle_id", form.bundle_id)
    return form


async def _find_bundle(call: Call, bundle_id: UUID) -> None:
    # What a dry run imagined has passed this check when it was imagined.
    if str(bundle_id).startswith(DRY_RUN_PREFIX):
        return
    async with call.ports.database.connection() as conn:
        await require_bundle(conn, call.who.workspace_id, bundle_id)


def _storage(call: Call) -> ObjectStore:
    return NullStore() if call.dry_run else call.ports.storage


def _effect(call: Call, bundle_id: UUID, purpose: Purpose, media: Ingested) -> Effect:
    filename = call.file.filename

    async def finish(tx: UnitOfWork) -> Answer:
        # In a dry run there is no object, and perhaps no bundle, that a row could point to.
        if not tx.dry_run:
            await record_upload(
                tx=tx, bundle_id=bundle_id, purpose=purpose, filename=filename, media=media
            )
        return Answer(_answer(call, filename, media))

    async def undo() -> None:
        if not call.dry_run:
            await discard_unrecorded(call.ports, call.who.workspace_id, media.storage_key)

    return Effect(finish=finish, undo=undo)


def _answer(call: Call, filename: str, media: Ingested) -> UploadedMedia:
    stored = not call.dry_run
    duration = media.duration_seconds
    return UploadedMedia(
        public_url=public_url(call.base_url, media.storage_key) if stored else None,
        storage_path=media.storage_key if stored else None,
        filename=filename,
        size_bytes=media.size_bytes,
        content_type=media.content_type,
        width=media.width,
        height=media.height,
        duration_seconds=msgspec.UNSET if duration is None else duration,
        sha256=media.sha256,
    )
