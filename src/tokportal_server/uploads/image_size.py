"""An image's size from its header, for the formats whose decoder allocates before it tells.

Opening a WebP allocates its canvas (measured: 2.7 GB for a file under 1 kB), and a GIF's frames
may lie outside the size its header states and enlarge the picture while it is decoded. Pillow
tells the size of the other formats without decoding.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

_VP8L_SIGNATURE = b"\x2f"
_VP8_START_CODE = b"\x9d\x01\x2a"


class ImageSize(NamedTuple):
    """Width and height in pixels of everything the frames cover, and how many frames."""

    width: int
    height: int
    frames: int


def webp_size(file: BinaryIO) -> ImageSize:
    """Read the first chunk of a WebP; ``frames`` is 2 for an animation of any length.

    Raises ValueError when the header is none. Source: RFC 9649, sections 2.5 to 2.7 and 3.4.
    """
    # A lossless image may be 25 bytes long in all; the other two headers need 30.
    head = _take(file, 25) + file.read(5)
    chunk, body = head[12:16], head[20:]
    if chunk == b"VP8X":
        width = int.from_bytes(body[4:7], "little") + 1
        height = int.from_bytes(body[7:10], "little") + 1
        return ImageSize(width, height, 2 if body[0] & 0x02 else 1)
    if chunk == b"VP8L" and body.startswith(_VP8L_SIGNATURE):
        bits = int.from_bytes(body[1:5], "little")
        return ImageSize((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1, 1)
    if chunk == b"VP8 " and body[3:6] == _VP8_START_CODE:
        width = int.from_bytes(body[6:8], "little") & 0x3FFF
        height = int.from_bytes(body[8:10], "little") & 0x3FFF
        return ImageSize(width, height, 1)
    raise ValueError("the WebP header is damaged")


def gif_size(file: BinaryIO) -> ImageSize:
    """Walk the blocks of a GIF without decoding one.

    Raises ValueError when a block is damaged or missing. Source: GIF89a, sections 18 to 27.
    """
    head = _take(file, 13)
    width, height = _pair(head, 6)
    frames = 0
    _skip_colours(file, head[10])
    while (introducer := _take(file, 1)) != b"\x3b":
        if introducer == b"\x21":
            _take(file, 1)
        elif introducer == b"\x2c":
            descriptor = _take(file, 9)
            left, top = _pair(descriptor, 0)
            frame_width, frame_height = _pair(descriptor, 4)
            width, height = max(width, left + frame_width), max(height, top + frame_height)
            frames += 1
            _skip_colours(file, descriptor[8])
            _take(file, 1)
        else:
            raise ValueError("the GIF has an unknown block")
        while (length := _take(file, 1)[0]) != 0:
            _take(file, length)
    return ImageSize(width, height, frames)


def _take(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise ValueError("the file ends early")
    return data


def _pair(data: bytes, at: int) -> tuple[int, int]:
    """Give two neighbouring 16-bit numbers."""
    return int.from_bytes(data[at : at + 2], "little"), int.from_bytes(
        data[at + 2 : at + 4], "little"
    )


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        _take(file, 3 << ((flags & 0x07) + 1))
