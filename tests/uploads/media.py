"""Makers of sample media: honest files as phones and cameras write them, and bombs.

Each gives the bytes of one file. The bombs are written chunk by chunk, since no library would
make them without holding what they unfold to.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

GPS_TEXT = b"Lat 52.5163 Lon 13.3777"
"""A text that the metadata of ``jpeg`` holds and no normalised file may."""
_GPS_IFD = 0x8825
_ORIENTATION = 0x0112
_IMAGE_DESCRIPTION = 0x010E


def video(
    *,
    container: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (64, 96),
    frames: int = 25,
    rate: int = 25,
    audio: bool = False,
    rotation: int = 0,
    movflags: str = "faststart",
) -> bytes:
    """Encode a film of one moving grey; audio is silence in AAC (Opus in WebM)."""
    options = {} if container == "webm" else {"movflags": movflags}
    with _film(container, options) as (film, path):
        stream = film.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        sound = None
        if audio:
            sound = film.add_stream("libopus" if container == "webm" else "aac", rate=48000)
        for number in range(frames):
            frame = _frame(Image.new("RGB", size, (number * 7 % 256,) * 3))
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        if sound is not None:
            film.mux(sound.encode(_silence()))
            film.mux(sound.encode(None))
        film.close()
        return path.read_bytes()


def still_video(size: tuple[int, int], *, rotation: int = 0) -> bytes:
    """Encode five frames of ``picture``: red on the left, blue on the right."""
    with _film("mp4", {}) as (film, path):
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(rotation)
        for _ in range(5):
            film.mux(stream.encode(_frame(picture(size))))
        film.mux(stream.encode(None))
        film.close()
        return path.read_bytes()


@contextmanager
def _film(container: str, options: dict[str, str]) -> Iterator[tuple[Any, Path]]:
    # A file, since moving the index to the front reads the output again.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        with av.open(path, "w", format=container, options=options) as film:
            yield film, path


def _frame(image: Image.Image) -> av.VideoFrame:
    frame: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
    return frame


def _silence() -> av.AudioFrame:
    frame = av.AudioFrame(format="fltp", layout="stereo", samples=960)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate = 48000
    frame.pts = 0
    return frame


def song_with_cover() -> bytes:
    """Give an MP4 whose only video stream is a cover picture."""
    with _film("mp4", {}) as (film, path):
        sound = film.add_stream("aac", rate=48000)
        cover = film.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        film.mux(cover.encode(_frame(Image.new("RGB", (64, 64)))))
        film.mux(cover.encode(None))
        film.mux(sound.encode(_silence()))
        film.mux(sound.encode(None))
        film.close()
        return path.read_bytes()


def picture(size: tuple[int, int] = (40, 20), mode: str = "RGB") -> Image.Image:
    """Give an image that is red on the left and blue on the right half."""
    image = Image.new(mode, size, "blue")
    image.paste(Image.new(mode, (size[0] // 2, size[1]), "red"), (0, 0))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int = 1) -> bytes:
    """Give an EXIF block with a place, a description and an orientation."""
    block = Image.Exif()
    block[_ORIENTATION] = orientation
    block[_IMAGE_DESCRIPTION] = GPS_TEXT.decode()
    block[_GPS_IFD] = {1: "N", 2: (52.0, 30.0, 58.0), 3: "E", 4: (13.0, 22.0, 39.0)}
    return block.tobytes()


def jpeg(orientation: int = 1, size: tuple[int, int] = (40, 20)) -> bytes:
    """Give a phone's photo: EXIF with GPS, XMP, a comment, a colour profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved(
        picture(size),
        "JPEG",
        quality=95,
        exif=exif(orientation),
        comment=GPS_TEXT,
        xmp=b"<x:xmpmeta>" + GPS_TEXT + b"</x:xmpmeta>",
        icc_profile=profile,
    )


def png(mode: str = "RGB") -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", GPS_TEXT.decode())
    return saved(picture(mode=mode), "PNG", pnginfo=notes, exif=exif())


def webp() -> bytes:
    return saved(picture(), "WEBP", exif=exif(), xmp=GPS_TEXT)


def gif(frames: int = 3, size: tuple[int, int] = (40, 20)) -> bytes:
    colours = [Image.new("RGB", size, (40 * number % 256, 0, 0)) for number in range(frames)]
    return saved(
        colours[0],
        "GIF",
        save_all=True,
        append_images=colours[1:],
        duration=[100 + 10 * number for number in range(frames)],
        comment=GPS_TEXT,
    )


def with_swapped_profile() -> bytes:
    """Give a PNG whose colour profile says that its first channel is green, its second red."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
    return saved(picture(), "PNG", icc_profile=swapped)


def animated(kind: str) -> bytes:
    """Give a two-frame animation as ``PNG`` or ``WEBP``."""
    other = Image.new("RGB", (40, 20), "green")
    return saved(picture(), kind, save_all=True, append_images=[other], duration=100)


def heic(size: tuple[int, int] = (64, 32)) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(picture(size)).save(out, quality=60, exif=exif())
    return out.getvalue()


# Bombs ------------------------------------------------------------------------------------------


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(side: int) -> bytes:
    """Give a complete one-bit PNG of ``side`` squared, black."""
    row = bytes(1 + (side + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", packed)
        + _png_chunk(b"IEND", b"")
    )


def png_header(width: int, height: int) -> bytes:
    """Give a PNG that states a size and holds ten bytes of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", zlib.compress(bytes(10)))
        + _png_chunk(b"IEND", b"")
    )


def heic_bomb(side: int) -> bytes:
    """Give a HEIC whose size box states ``side`` squared."""
    honest = heic((64, 64))
    stated = b"ispe" + bytes(4) + struct.pack(">II", 64, 64)
    if stated not in honest:
        raise ValueError("the encoder writes sizes in another way now")
    return honest.replace(stated, b"ispe" + bytes(4) + struct.pack(">II", side, side))


def webp_bomb(width: int = 16383, height: int = 10900) -> bytes:
    """Give a complete lossless WebP of one colour: no prefix code has a second symbol."""
    bits = _Bits()
    bits.put(0x2F, 8)
    bits.put(width - 1, 14)
    bits.put(height - 1, 14)
    bits.put(0, 1 + 3)  # no alpha used, version 0
    bits.put(0, 1 + 1 + 1)  # no transform, no colour cache, no meta prefix codes
    for _ in range(5):
        bits.put(1, 1)  # a simple code ...
        bits.put(0, 1)  # ... of one symbol ...
        bits.put(0, 1)  # ... of one bit ...
        bits.put(0, 1)  # ... which is zero: each pixel then takes no bits at all
    data = bits.done()
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


class _Bits:
    """Packs numbers with the lowest bit first, as VP8L does."""

    def __init__(self) -> None:
        self._value = 0
        self._length = 0

    def put(self, value: int, bits: int) -> None:
        self._value |= value << self._length
        self._length += bits

    def done(self) -> bytes:
        return self._value.to_bytes((self._length + 7) // 8, "little")


def gif_bomb(frames: int, side: int, screen: int | None = None) -> bytes:
    """Give a GIF of many frames of ``side`` squared, each one run of a single colour.

    ``screen`` is the size the header states.
    """
    stated = side if screen is None else screen
    head = b"GIF89a" + struct.pack("<HHBBB", stated, stated, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    descriptor = b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0)
    return head + (descriptor + _lzw_of_one_colour(side * side)) * frames + b"\x3b"


def _lzw_of_one_colour(pixels: int) -> bytes:
    """Encode a run of colour 0: each code is the table's newest, and one pixel longer."""
    clear, end, first_free = 4, 5, 6
    bits = _Bits()
    width = 3
    while pixels > 0:
        bits.put(clear, width)
        bits.put(0, 3)
        pixels -= 1
        for run, code in enumerate(range(first_free, 4096), start=2):
            if pixels <= 0:
                break
            width = code.bit_length()
            bits.put(code, width)
            pixels -= run
    bits.put(end, width)
    data = bits.done()
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"\x02" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


FFCONCAT = b"ffconcat version 1.0\nfile '%s'\n"
POLYGLOTS: dict[str, Callable[[], bytes]] = {
    "gif with a script behind it": lambda: gif() + b"=1;alert(document.domain)//",
    "png with a page in a text chunk and behind it": lambda: png() + b"<script>alert(1)</script>",
    "jpeg with an archive behind it": lambda: jpeg() + b"PK\x03\x04<script>" + b"\0" * 64,
    "webp with a page behind it": lambda: webp() + b"<html><script>alert(1)</script>",
}
