"""What an uploaded file really is, decoded in a limited child process (contract section 8)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.sandbox import SandboxKilledError, run_limited
from tokportal_server.uploads.limits import (
    ImageTooLargeError,
    MediaLimits,
    MediaUnreadableError,
    UnsupportedMediaTypeError,
    VideoTooLongError,
    file_too_large,
)
from tokportal_server.uploads.sniff import SNIFFED_BYTES, MediaType, sniff

# The dearest image within the default limits takes 1.0 GB of address space and 7 seconds of
# processor time (decision 0002).
_MEMORY_BYTES = 1280 << 20
_CPU_SECONDS = 9
# Processor time tells a bomb. Wall time only tells a machine that has too much to do, so it is
# generous, and a large video, which is read to its end, gets what a slow disk needs on top.
_WALL_SECONDS = 30.0
_SLOW_DISK_BYTES_PER_SECOND = 50_000_000
_RETRY_AFTER_SECONDS = 30
_THUMBNAIL_SIDE = 480


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """A playable video: MIME type, size in pixels as displayed, length, and if it has sound."""

    content_type: str
    width: int
    height: int
    duration_seconds: float
    has_audio: bool


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The image as it was written: MIME type, size in pixels and in bytes."""

    content_type: str
    width: int
    height: int
    size_bytes: int


class DecodersBusyError(ApiError):
    """The machine was too loaded to decode the file in time; the file may be good."""

    code = "SERVICE_UNAVAILABLE"
    status = 503
    remedy = (
        "Nobody: send the same request again after `Retry-After`. If it lasts, tell the operator."
    )


class _Refusal(msgspec.Struct):
    refused: str
    message: str
    details: dict[str, Any]


class _Source(NamedTuple):
    """A file that may be decoded: its absolute path, sniffed type and size in bytes."""

    path: str
    kind: MediaType
    size: int


_Answer = TypeVar("_Answer")
_REFUSALS: Mapping[str, type[ApiError]] = {
    error.code: error
    for error in (
        ImageTooLargeError,
        MediaUnreadableError,
        UnsupportedMediaTypeError,
        VideoTooLongError,
    )
}
_KILLED = {
    "memory": "needs more memory than a decoder gets",
    "cpu": "takes too long to decode",
    "output": "makes its decoder fail",
    "crash": "makes its decoder fail",
}


async def probe_video(path: Path, *, limits: MediaLimits) -> VideoFacts:
    """Decode the first frame of the file and read it to its end, changing nothing.

    Raises FileTooLargeError, UnsupportedMediaTypeError (an image is none of the videos),
    VideoTooLongError, MediaUnreadableError, and DecodersBusyError, which is the machine's fault
    and worth another try.
    """
    source = await asyncio.to_thread(_examine, path, limits.video_max_bytes, video=True)
    request = {
        "source": source.path,
        "kind": source.kind,
        "max_seconds": limits.video_max_seconds,
        "max_side": limits.video_max_side,
    }
    wall_seconds = _WALL_SECONDS + source.size / _SLOW_DISK_BYTES_PER_SECOND
    return await _decode("decode_video", request, VideoFacts, wall_seconds=wall_seconds)


async def normalise_image(path: Path, out_path: Path, *, limits: MediaLimits) -> ImageFacts:
    """Write the image to ``out_path`` as its pixels alone: upright, in sRGB, no metadata.

    HEIC becomes JPEG; the other types stay. After a refusal ``out_path`` does not exist.
    Raises FileTooLargeError, UnsupportedMediaTypeError (a video is none of the images; neither
    are animated PNG and WebP), ImageTooLargeError, MediaUnreadableError and DecodersBusyError.
    """
    source = await asyncio.to_thread(_examine, path, limits.image_max_bytes, video=False)
    request = {
        "source": source.path,
        "target": str(out_path.absolute()),  # noqa: ASYNC240 - reads no disk
        "kind": source.kind,
        "max_pixels": limits.image_max_pixels,
        "max_side": limits.image_max_side,
    }
    try:
        return await _decode("decode_image", request, ImageFacts, wall_seconds=_WALL_SECONDS)
    except BaseException:
        await asyncio.to_thread(out_path.unlink, missing_ok=True)
        raise


async def make_thumbnail(
    path: Path, out_path: Path, content_type: str, *, limits: MediaLimits
) -> ImageFacts:
    """Write a JPEG of at most 480 pixels a side: the image, or the video's first frame.

    ``content_type`` is what the file was found to be when it was stored. Raises
    MediaUnreadableError, ImageTooLargeError (the limits were lowered since) and DecodersBusyError.
    """
    request = {
        "source": str(path.absolute()),  # noqa: ASYNC240 - reads no disk
        "target": str(out_path.absolute()),  # noqa: ASYNC240
        "kind": content_type,
        "side": _THUMBNAIL_SIDE,
        "max_pixels": limits.image_max_pixels,
        "max_side": limits.video_max_side
        if MediaType(content_type).is_video
        else limits.image_max_side,
        "max_seconds": limits.video_max_seconds,
    }
    return await _decode("decode_thumbnail", request, ImageFacts, wall_seconds=_WALL_SECONDS)


def _examine(path: Path, max_bytes: int, *, video: bool) -> _Source:
    size = path.stat().st_size
    if size > max_bytes:
        raise file_too_large(max_bytes, size)
    with path.open("rb") as file:
        kind = sniff(file.read(SNIFFED_BYTES))
    if kind.is_video is not video:
        wanted = "a video (MP4, MOV, WebM)" if video else "an image (JPEG, PNG, WebP, GIF, HEIC)"
        raise UnsupportedMediaTypeError(
            f"The file is {kind}, but {wanted} is wanted here.", details={"found": str(kind)}
        )
    return _Source(str(path.absolute()), kind, size)


async def _decode(
    module: str, request: dict[str, Any], facts: type[_Answer], *, wall_seconds: float
) -> _Answer:
    """Ask one decoding child; its answer is facts or a refusal, and its death is one."""
    try:
        answer = await run_limited(
            f"tokportal_server.uploads.{module}",
            [json.dumps(request)],
            cpu_seconds=_CPU_SECONDS,
            wall_seconds=wall_seconds,
            memory_bytes=_MEMORY_BYTES,
        )
    except SandboxKilledError as death:
        if death.reason == "time":
            raise DecodersBusyError(
                "The server has too much to decode at the moment: send the file again later.",
                retry_after=_RETRY_AFTER_SECONDS,
            ) from death
        raise MediaUnreadableError(
            f"The file {_KILLED[death.reason]}: send a simpler or smaller version.",
            details={"reason": death.reason},
        ) from death
    if b'"refused"' in answer:
        refusal = msgspec.json.decode(answer, type=_Refusal)
        raise _REFUSALS[refusal.refused](refusal.message, details=refusal.details)
    return msgspec.json.decode(answer, type=facts)
