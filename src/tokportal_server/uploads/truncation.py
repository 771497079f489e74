"""Whether a video file ends before what its container announces.

Demuxers end quietly where a file does, so a film cut between two packets looks whole and short.
The sizes of the container's outermost elements tell.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

# Only these are missed when cut; what devices append behind a film (previews, sensor logs) is
# often no box at all.
_FILM_BOXES = frozenset({b"moov", b"moof", b"mdat"})
_LARGE_SIZE, _TO_THE_END = 1, 0
_EBML_ID_BYTES = 4
_SEGMENT = b"\x18\x53\x80\x67"


def mp4_ends_early(file: BinaryIO) -> bool:
    """Walk the outermost boxes of an MP4 or MOV (ISO/IEC 14496-12, section 4.2)."""
    end = file.seek(0, io.SEEK_END)
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(16).ljust(16, b"\0")
        size, kind, large_size = struct.unpack(">I4sQ", head)
        if size == _TO_THE_END:
            return False
        length = large_size if size == _LARGE_SIZE else size
        if at + length > end:
            return kind in _FILM_BOXES
        at += max(length, 8)
    return False


def webm_ends_early(file: BinaryIO) -> bool:
    """Compare the segment's size with the file's (RFC 8794, sections 4 and 6).

    A recording made live states no size; for that the answer is always False.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(_EBML_ID_BYTES)
    header_size = _ebml_size(file)
    if header_size is None:
        return False
    file.seek(header_size, io.SEEK_CUR)
    if file.read(_EBML_ID_BYTES) != _SEGMENT:
        return False
    segment_size = _ebml_size(file)
    return segment_size is not None and file.tell() + segment_size > end


def _ebml_size(file: BinaryIO) -> int | None:
    """Read a variable-length size: as many leading zero bits as bytes follow; all ones is none."""
    first = file.read(1)
    if first in {b"", b"\0"}:
        return None
    length = 9 - first[0].bit_length()
    bits = 7 * length
    value = int.from_bytes(first + file.read(length - 1), "big") & ((1 << bits) - 1)
    return None if value == (1 << bits) - 1 else value


ENDS_EARLY = {
    "video/mp4": mp4_ends_early,
    "video/quicktime": mp4_ends_early,
    "video/webm": webm_ends_early,
}
"""The check for each MIME type; it moves the file's position."""
