"""How large media may be, and the refusals that say so (contract section 8).

All five answer 400; 413 is for bodies that are no files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.settings import Settings


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """The largest media taken: sizes in bytes, sides and areas in pixels, time in seconds.

    ``image_max_pixels`` bounds an animation's frames together. The video's side is no product
    limit: it bounds the memory of one frame.
    """

    video_max_bytes: int = 1 << 30
    video_max_seconds: int = 600
    video_max_side: int = 8192
    image_max_bytes: int = 20_000_000
    image_max_pixels: int = 50_000_000
    image_max_side: int = 16384


def media_limits(settings: Settings) -> MediaLimits:
    """Give the limits that the operator chose."""
    return MediaLimits(
        video_max_bytes=settings.video_max_bytes,
        video_max_seconds=settings.video_max_seconds,
        image_max_bytes=settings.image_max_bytes,
        image_max_pixels=settings.image_max_pixels,
        image_max_side=settings.image_max_side,
    )


class FileTooLargeError(ApiError):
    """The file has more bytes than its kind may have."""

    code = "FILE_TOO_LARGE"
    status = 400
    remedy = "You: send a smaller file; the message gives the limit."


class UnsupportedMediaTypeError(ApiError):
    """The bytes are of a type that is not taken, whatever the name or header claims."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 400
    remedy = "You: convert the file to a type that the message names."


class MediaUnreadableError(ApiError):
    """The file is damaged, incomplete, or cannot be decoded within the limits of a decoder."""

    code = "MEDIA_UNREADABLE"
    status = 400
    remedy = "You: check that the file plays or opens, and export it again."


class ImageTooLargeError(ApiError):
    """The image has more pixels, in all or on a side, than are decoded."""

    code = "IMAGE_TOO_LARGE"
    status = 400
    remedy = "You: scale the image down; the message gives the limit."


class VideoTooLongError(ApiError):
    """The video plays longer than allowed."""

    code = "VIDEO_TOO_LONG"
    status = 400
    remedy = "You: shorten the video; the message gives the limit."


def file_too_large(limit_bytes: int, size_bytes: int | None = None) -> FileTooLargeError:
    """Give the refusal; the size is None while the file is still arriving."""
    actual = "more" if size_bytes is None else f"{size_bytes} bytes"
    details = {"limit_bytes": limit_bytes}
    if size_bytes is not None:
        details["size_bytes"] = size_bytes
    return FileTooLargeError(
        f"The file may have at most {limit_bytes} bytes and has {actual}: send a smaller one.",
        details=details,
    )


async def within(limit_bytes: int, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass chunks on until there are too many bytes, then raise FileTooLargeError."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise file_too_large(limit_bytes)
        yield chunk
