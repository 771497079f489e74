"""Files: their first bytes, their headers, their names, and the ranges asked of them."""

from __future__ import annotations

import io

from tests.fuzz.parsers.target import Target, pieces_of, text_of
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.storage import check_key
from tokportal_server.uploads.image_size import gif_size, webp_size
from tokportal_server.uploads.ranges import (
    UnsatisfiableRange,
    byte_range,
    is_unchanged,
    range_applies,
)
from tokportal_server.uploads.serving import _disposition, _workspace_of
from tokportal_server.uploads.sniff import MediaType, sniff

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
WEBP = (
    b"RIFF\x24\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\x7f\x00\x00\x7f\x00\x00"
    + bytes(8)
)
SIZE = 1000


def sniff_a_head(data: bytes) -> None:
    """A file is of a type that is taken, or refused; HTML and SVG are of none."""
    try:
        kind = sniff(data)
    except ApiError:
        return
    assert kind in MediaType
    assert data.lstrip()[:1] != b"<"


def read_sizes(data: bytes) -> None:
    """The size of a picture stands in its header, or the header is damaged."""
    for read in (webp_size, gif_size):
        try:
            size = read(io.BytesIO(data))
        except ValueError:
            continue
        assert 0 <= size.width <= 1 << 24
        assert 0 <= size.height <= 1 << 24
        assert 0 <= size.frames <= len(data)


def name_a_file(data: bytes) -> None:
    """A file's name goes into a header as one word of letters that any header takes."""
    kind, name = pieces_of(data, 2)
    # HEIC is stored as JPEG.
    types = [kind for kind in MediaType if kind is not MediaType.HEIC]
    name_of = text_of(name).encode("utf-8", "replace").decode()
    written = _disposition(name_of, types[len(kind) % len(types)].value)
    assert written.startswith("inline; filename*=UTF-8''")
    assert written.isascii()
    assert written.isprintable()
    assert not {" ", ";", '"', "\\"} & set(written.partition("''")[2])


def read_a_key(data: bytes) -> None:
    """A key names an object of a workspace, or nothing; never a way out of the store."""
    key = text_of(data)
    _workspace_of(key)
    try:
        check_key(key)
    except ValueError:
        return
    assert ".." not in key.split("/")
    assert not key.startswith("/")


def read_a_range(data: bytes) -> None:
    """A range is inside the file, or the whole file, or outside."""
    wanted, tag = (piece.decode("latin-1") for piece in pieces_of(data, 2))
    is_unchanged(tag, '"x"')
    range_applies(tag, '"x"')
    try:
        found = byte_range(wanted, SIZE)
    except UnsatisfiableRange:
        return
    assert found is None or 0 <= found[0] < found[1] <= SIZE


TARGETS = (
    Target(
        "media_sniff",
        sniff_a_head,
        (GIF, WEBP, b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", b"\x1a\x45\xdf\xa3\x42\x82\x84webm"),
    ),
    Target("media_size", read_sizes, (GIF, WEBP)),
    Target("media_name", name_a_file, (b"\xffclip.mp4", b"\xff../../x\r\nSet-Cookie: a.html")),
    Target("media_key", read_a_key, (b"0" * 32 + b"/" + b"a" * 40 + b".mp4", b"../x", b"/a")),
    Target("media_range", read_a_range, (b'bytes=0-9\xff"x", W/"y"', b"bytes=-5", b"bytes=5-")),
)
