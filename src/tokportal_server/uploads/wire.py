"""The upload objects of contract section 8, and the media objects of section 7."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

ImagePurpose = Literal["carousel", "profile_picture"]
Purpose = Literal["video", "carousel", "profile_picture", "evidence"]
MediaKind = Literal["video", "carousel_image", "story_image", "profile_picture"]
MediaStatus = Literal["none", "fetching", "ready", "failed"]

_BundleId = Annotated[UUID, Meta(description="The bundle that the file is for.")]


class VideoForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text parts of a direct video upload."""

    bundle_id: _BundleId


class ImageForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text parts of a direct image upload."""

    bundle_id: _BundleId
    purpose: Annotated[
        ImagePurpose,
        Meta(
            description="What the image is for. A story's image is uploaded as `carousel`, a"
            " profile's only as `profile_picture`."
        ),
    ] = "carousel"


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


class MediaObject(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a slot or profile; until it is ready only the address it comes from is known."""

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
