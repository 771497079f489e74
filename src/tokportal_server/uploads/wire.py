"""The upload objects of contract section 8, and the media objects of section 7."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokportal_server.lib.clock import Timestamp

ImagePurpose = Literal["carousel", "profile_picture"]
Purpose = Literal["video", "carousel", "profile_picture", "evidence"]
MediaKind = Literal["video", "carousel_image", "story_image", "profile_picture"]
MediaStatus = Literal["none", "fetching", "ready", "failed"]

VideoType = Literal["video/mp4", "video/quicktime", "video/webm", "video/x-m4v"]
ImageType = Literal[
    "image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/heif"
]

_BundleId = Annotated[UUID, Meta(description="The bundle that the file is for.")]
_ImagePurpose = Annotated[
    ImagePurpose,
    Meta(
        description="What the image is for. A story's image is uploaded as `carousel`, a"
        " profile's only as `profile_picture`."
    ),
]
_Filename = Annotated[
    str, Meta(min_length=1, max_length=255, description="The file's name, for display.")
]


class VideoForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text parts of a direct video upload."""

    bundle_id: _BundleId


class ImageForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text parts of a direct image upload."""

    bundle_id: _BundleId
    purpose: _ImagePurpose = "carousel"


class UploadVideoRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a video's upload address is for."""

    filename: _Filename
    bundle_id: _BundleId
    content_type: Annotated[
        VideoType | None,
        Meta(
            description="What will be sent as `Content-Type`; without it, what the file name's"
            " suffix says. The type that counts is read from the bytes."
        ),
    ] = None


class UploadImageRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an image's upload address is for."""

    filename: _Filename
    content_type: Annotated[
        ImageType,
        Meta(
            description="What will be sent as `Content-Type`. The type that counts is read from"
            " the bytes."
        ),
    ]
    bundle_id: _BundleId
    purpose: _ImagePurpose = "carousel"


class UploadImageFromUrlRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Where an image is fetched from."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            description="A public https address that anybody can download from; share links of"
            " Google Drive and Dropbox are understood.",
        ),
    ]
    bundle_id: _BundleId
    purpose: _ImagePurpose = "carousel"


class PresignedUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An address for one PUT. In a dry run none is made: what names it is null.

    ``headers`` must be sent with the PUT as they are. ``public_url`` answers 404 until the file
    has been used and checked.
    """

    upload_url: str | None
    method: Literal["PUT"]
    headers: dict[str, str]
    public_url: str | None
    storage_path: str | None
    expires_at: Timestamp | None


class UploadedMedia(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file: sizes in bytes and pixels as displayed, ``duration_seconds`` of videos only.

    In a dry run nothing is stored, so ``public_url`` and ``storage_path`` are null.
    """

    public_url: str | None
    storage_path: str | None
    filename: str
    size_bytes: int
    content_type: str
    width: int
    height: int
    duration_seconds: float | UnsetType = UNSET
    sha256: str


class ImportedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was fetched and stored, as :class:`UploadedMedia`.

    A dry run fetches nothing, so everything but the name is null.
    """

    public_url: str | None
    storage_path: str | None
    filename: str
    size_bytes: int | None
    content_type: str | None
    width: int | None
    height: int | None
    sha256: str | None


class MediaObject(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a slot or profile; until it is ready only the address it comes from is known.

    While it is ``fetching``, ``size_bytes`` is how much of it has arrived by now.
    """

    kind: MediaKind
    url: str
    storage_path: str | None
    size_bytes: int | None
    content_type: str | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    sha256: str | None
    status: Literal["fetching", "ready", "failed"]


class MediaError(msgspec.Struct, frozen=True):
    """Why external media could not be had."""

    code: str
    message: str
