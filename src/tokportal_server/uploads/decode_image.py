"""Sandboxed child: decode one image and write it anew, holding nothing but its pixels.

Started by ``uploads.probe`` with ``{source, target, kind, max_pixels, max_side}``. Answers
``{content_type, width, height, size_bytes}`` of the written file.

1. The size is read from the header and refused before a pixel is decoded.
2. The one format that was sniffed is decoded; no other decoder is tried.
3. The orientation is applied and colours are brought to sRGB, since both live in metadata.
4. The pixels are encoded without any metadata. HEIC becomes JPEG, all others keep their format.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageCms, ImageSequence

from tokportal_server.uploads.decoding import RefusedError, answer, unreadable
from tokportal_server.uploads.image_size import ImageSize, gif_size, webp_size

_DECODER_OF = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/heic": "HEIF",
}
_SIZE_BEFORE_OPENING: dict[str, Callable[[BinaryIO], ImageSize]] = {
    "image/webp": webp_size,
    "image/gif": gif_size,
}
_ENCODING: dict[str, dict[str, Any]] = {
    "image/jpeg": {"format": "JPEG", "quality": 92},
    "image/png": {"format": "PNG", "compress_level": 4},
    "image/webp": {"format": "WEBP", "quality": 92, "method": 2},
    "image/gif": {"format": "GIF"},
}
# The modes each encoder takes as they are; others become RGB, or RGBA with transparency.
_MODES = {
    "image/jpeg": {"L", "RGB"},
    "image/png": {"1", "L", "LA", "P", "RGB", "RGBA"},
    "image/webp": {"RGB", "RGBA"},
    "image/gif": {"1", "L", "P", "RGB", "RGBA"},
}
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def normalise(request: dict[str, Any]) -> dict[str, Any]:
    """Decode ``source`` and write ``target``; raises RefusedError."""
    kind: str = request["kind"]
    written_as = "image/jpeg" if kind == "image/heic" else kind
    with Path(request["source"]).open("rb") as source:
        frames = decode_image(source, kind, written_as, request)
    with Path(request["target"]).open("wb") as target:
        _encode(frames, written_as, target)
        size_bytes = target.tell()
    width, height = frames[0].size
    return {
        "content_type": written_as,
        "width": width,
        "height": height,
        "size_bytes": size_bytes,
    }


def decode_image(
    source: BinaryIO, kind: str, written_as: str, request: dict[str, Any]
) -> list[Image.Image]:
    """Give the pictures of a file as they are meant to be seen, in a mode of ``written_as``.

    ``request`` holds ``max_pixels`` and ``max_side``. Raises RefusedError.
    """
    try:
        return _decode(source, kind, written_as, request)
    except (RefusedError, MemoryError):
        raise
    except Exception as cause:
        # Decoders raise nearly every built-in exception on damaged input.
        raise unreadable(cause) from cause


def _decode(
    source: BinaryIO, kind: str, written_as: str, request: dict[str, Any]
) -> list[Image.Image]:
    max_pixels, max_side = request["max_pixels"], request["max_side"]
    if measure := _SIZE_BEFORE_OPENING.get(kind):
        _check_size(measure(source), max_pixels, max_side)
        source.seek(0)
    # The check below replaces Pillow's own, which knows no setting and refuses before we can say
    # why.
    Image.MAX_IMAGE_PIXELS = None
    _load_decoder(kind)
    with Image.open(source, formats=[_DECODER_OF[kind]]) as image:
        _check_size(ImageSize(*image.size, 1), max_pixels, max_side)
        _check_still(image, kind)
        return [_finish(frame, written_as) for frame in _frames(image, kind)]


def _load_decoder(kind: str) -> None:
    """Register the formats that Pillow would otherwise look for by loading all of its own."""
    if kind == "image/webp":
        from PIL import WebPImagePlugin  # noqa: F401, PLC0415 - only where it is needed
    elif kind == "image/heic":
        import pillow_heif  # noqa: PLC0415 - as above

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener(thumbnails=False)


def _check_size(size: ImageSize, max_pixels: int, max_side: int) -> None:
    pixels = size.width * size.height * size.frames
    if pixels > max_pixels or max(size.width, size.height) > max_side:
        raise RefusedError(
            "IMAGE_TOO_LARGE",
            f"The image has {size.width} x {size.height} pixels in {size.frames} frame(s): at "
            f"most {max_side} pixels a side, and {max_pixels} in all frames together, are taken. "
            "Send a smaller version.",
            **size._asdict(),
            limit_pixels=max_pixels,
            limit_side=max_side,
        )


def _check_still(image: Image.Image, kind: str) -> None:
    # A JPEG or HEIC with several images is a photo with its previews, not an animation.
    if kind in {"image/png", "image/webp"} and getattr(image, "is_animated", False):
        raise RefusedError(
            "UNSUPPORTED_MEDIA_TYPE",
            f"Animated {_DECODER_OF[kind]} is not taken: send a still image or an animated GIF.",
        )


def _frames(image: Image.Image, kind: str) -> list[Image.Image]:
    if kind == "image/gif":
        return [frame.copy() for frame in ImageSequence.Iterator(image)]
    image.load()
    return [image]


def _finish(image: Image.Image, written_as: str) -> Image.Image:
    """Give the picture as it is meant to be seen, with timing and transparency its only info."""
    orientation = image.getexif().get(_ORIENTATION_TAG)
    profile = image.info.get("icc_profile")
    image.info = {k: v for k, v in image.info.items() if k in {"duration", "transparency"}}
    if profile:
        image = _in_srgb(image, profile)
    image = _in_mode(image, written_as)
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    return image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Apply a colour profile so that it can be dropped; a damaged one is only dropped."""
    if image.mode not in {"L", "RGB", "RGBA", "CMYK"}:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        described = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, described, srgb, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if converted is None:
        return image
    # The conversion notes the new profile, which the encoders would write.
    converted.info.pop("icc_profile", None)
    return converted


def _in_mode(image: Image.Image, written_as: str) -> Image.Image:
    if written_as == "image/jpeg" and image.has_transparency_data:
        # JPEG has no transparency; on white the picture looks as on a page.
        seen = Image.new("RGB", image.size, "white")
        seen.paste(image, mask=image.convert("RGBA").getchannel("A"))
        return seen
    if image.mode in _MODES[written_as]:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _encode(frames: list[Image.Image], written_as: str, target: BinaryIO) -> None:
    options = dict(_ENCODING[written_as])
    if len(frames) > 1:
        durations = [frame.info.get("duration", 100) for frame in frames]
        options |= {"save_all": True, "append_images": frames[1:], "loop": 0}
        options |= {"duration": durations, "disposal": 2}
    try:
        frames[0].save(target, **options)
    except ValueError as cause:
        # The WebP format holds at most 512 KiB of prediction modes (libwebp's error 6).
        if written_as != "image/webp":
            raise
        raise RefusedError(
            "IMAGE_TOO_LARGE",
            "The image has more detail than one WebP can hold: send it as JPEG or PNG.",
            width=frames[0].width,
            height=frames[0].height,
        ) from cause


if __name__ == "__main__":
    answer(normalise)
