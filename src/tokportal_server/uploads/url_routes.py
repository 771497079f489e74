"""The operations of the group Uploads in which a URL stands for the file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from uuid import UUID

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call, Effect
from tokportal_server.http.errors import DryRunIdError
from tokportal_server.http.registry import Router
from tokportal_server.lib.clock import real_now, wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.uploads.fetching import filename_of
from tokportal_server.uploads.importing import (
    FetchFailedError,
    Imported,
    check_import,
    import_image,
)
from tokportal_server.uploads.limits import (
    FileTooLargeError,
    ImageTooLargeError,
    MediaUnreadableError,
    UnsupportedMediaTypeError,
)
from tokportal_server.uploads.media import public_url
from tokportal_server.uploads.operations.presign_upload import presign_upload
from tokportal_server.uploads.operations.record_upload import discard_unrecorded, record_upload
from tokportal_server.uploads.presigned import VALID_SECONDS, Permit, upload_address
from tokportal_server.uploads.wire import (
    ImportedImage,
    PresignedUpload,
    Purpose,
    UploadImageFromUrlRequest,
    UploadImageRequest,
    UploadVideoRequest,
)

_TYPE_OF_SUFFIX = {".mov": "video/quicktime", ".webm": "video/webm", ".m4v": "video/x-m4v"}

router = Router("Uploads")


@router.operation(
    "POST",
    "/upload/video",
    "uploadVideo",
    summary="Create a video upload URL",
    returns=PresignedUpload,
    errors=(DryRunIdError, BundleNotFoundError),
    idempotency="sealed",
    keep=timedelta(seconds=VALID_SECONDS),
)
async def upload_video(call: Call, body: UploadVideoRequest) -> Answer:
    """Give an address to PUT one video to within 15 minutes, and the path that it will have.

    The file is checked when it is first used: until then its `media_status` is `fetching` and its
    public address answers 404. Unused for a day, it is deleted.
    """
    suffix = PurePosixPath(body.filename).suffix.lower()
    content_type = body.content_type or _TYPE_OF_SUFFIX.get(suffix, "video/mp4")
    max_bytes = call.ports.settings.video_max_bytes
    return await _presign(call, body.bundle_id, "video", body.filename, content_type, max_bytes)


@router.operation(
    "POST",
    "/upload/image",
    "uploadImage",
    summary="Create an image upload URL",
    returns=PresignedUpload,
    errors=(DryRunIdError, BundleNotFoundError),
    idempotency="sealed",
    keep=timedelta(seconds=VALID_SECONDS),
)
async def upload_image(call: Call, body: UploadImageRequest) -> Answer:
    """Give an address to PUT one image to within 15 minutes, and the path that it will have.

    The file is checked, turned upright and stripped of its metadata when it is first used: until
    then its public address answers 404. Unused for a day, it is deleted.
    """
    max_bytes = call.ports.settings.image_max_bytes
    return await _presign(
        call, body.bundle_id, body.purpose, body.filename, body.content_type, max_bytes
    )


async def _presign(
    call: Call,
    bundle_id: UUID,
    purpose: Purpose,
    filename: str,
    content_type: str,
    max_bytes: int,
) -> Answer:
    call.require_real("bundle_id", bundle_id)
    storage_key = await presign_upload(
        tx=call.tx, bundle_id=bundle_id, purpose=purpose, filename=filename
    )
    headers = {"Content-Type": content_type}
    if call.dry_run:
        return Answer(
            PresignedUpload(
                upload_url=None,
                method="PUT",
                headers=headers,
                public_url=None,
                storage_path=None,
                expires_at=None,
            )
        )
    expires_at = real_now() + timedelta(seconds=VALID_SECONDS)
    permit = Permit(storage_key, content_type, max_bytes, int(expires_at.timestamp()))
    return Answer(
        PresignedUpload(
            upload_url=upload_address(call.ports, call.base_url, permit),
            method="PUT",
            headers=headers,
            public_url=public_url(call.base_url, storage_key),
            storage_path=storage_key,
            expires_at=wire_time(expires_at),
        ),
    )


@router.operation(
    "POST",
    "/upload/image/from-url",
    "uploadImageFromUrl",
    summary="Import an image from URL",
    returns=ImportedImage,
    errors=(
        DryRunIdError,
        BundleNotFoundError,
        FetchFailedError,
        FileTooLargeError,
        UnsupportedMediaTypeError,
        MediaUnreadableError,
        ImageTooLargeError,
    ),
    effects=True,
)
async def upload_image_from_url(call: Call, body: UploadImageFromUrlRequest) -> Effect:
    """Fetch a JPEG, PNG, WebP or GIF from a public address and store it, without its metadata.

    A dry run checks the address as it is written, and the bundle; it fetches nothing.
    """
    call.refuse_dry_run_id("bundle_id", body.bundle_id)
    await check_import(call, body)
    imported = (
        None if call.dry_run else await import_image(call.ports, call.who.workspace_id, body.url)
    )

    async def finish(tx: UnitOfWork) -> Answer:
        if imported is not None:
            await record_upload(
                tx=tx,
                bundle_id=body.bundle_id,
                purpose=body.purpose,
                filename=imported.filename,
                media=imported.media,
                source_url=body.url,
            )
        return Answer(_imported(call, body.url, imported))

    async def undo() -> None:
        if imported is not None:
            key = imported.media.storage_key
            await discard_unrecorded(call.ports, call.who.workspace_id, key)

    return Effect(finish=finish, undo=undo)


def _imported(call: Call, url: str, imported: Imported | None) -> ImportedImage:
    if imported is None:
        facts = ("public_url", "storage_path", "size_bytes", "content_type", "width", "height")
        return ImportedImage(
            filename=filename_of(url, "image"), sha256=None, **dict.fromkeys(facts)
        )
    media = imported.media
    return ImportedImage(
        public_url=public_url(call.base_url, media.storage_key),
        storage_path=media.storage_key,
        filename=imported.filename,
        size_bytes=media.size_bytes,
        content_type=media.content_type,
        width=media.width,
        height=media.height,
        sha256=media.sha256,
    )
