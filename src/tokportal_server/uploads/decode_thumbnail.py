"""Sandboxed child: make a small picture of a stored file, which was found decodable before.

Started by ``uploads.probe`` with ``{source, target, kind, side, max_pixels, max_side}``. Writes a
JPEG that fits into ``side`` squared, never larger than the original, and answers ``{content_type,
width, height, size_bytes}`` of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokportal_server.uploads.decoding import answer, unreadable

if TYPE_CHECKING:
    from PIL import Image

_JPEG = "image/jpeg"
_QUALITY = 80


def shrink(request: dict[str, Any]) -> dict[str, Any]:
    """Write ``target``, a picture of ``source``; raises RefusedError."""
    is_video = request["kind"].startswith("video/")
    picture = _first_frame(request) if is_video else _first_image(request)
    side = request["side"]
    picture.thumbnail((side, side))
    with Path(request["target"]).open("wb") as target:
        picture.save(target, "JPEG", quality=_QUALITY)
        size_bytes = target.tell()
    return {
        "content_type": _JPEG,
        "width": picture.width,
        "height": picture.height,
        "size_bytes": size_bytes,
    }


def _first_image(request: dict[str, Any]) -> Image.Image:
    # Each kind needs one of two libraries, and both are slow to load.
    from tokportal_server.uploads.decode_image import decode_image  # noqa: PLC0415

    with Path(request["source"]).open("rb") as source:
        return decode_image(source, request["kind"], _JPEG, request)[0].convert("RGB")


def _first_frame(request: dict[str, Any]) -> Image.Image:
    from av import FFmpegError  # noqa: PLC0415 - as above

    from tokportal_server.uploads.decode_video import poster_frame  # noqa: PLC0415

    with Path(request["source"]).open("rb") as source:
        try:
            return poster_frame(source, request["kind"], request)
        except (FFmpegError, ValueError, OverflowError) as cause:
            raise unreadable(cause) from cause


if __name__ == "__main__":
    answer(shrink)
