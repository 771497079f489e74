"""A file's type from its first bytes alone, never from its name or a header (contract section 8).

Sniffing only picks the decoder. What makes a file with two natures harmless comes after it: the
decoder must accept it, and images are stored as re-encoded, so nothing behind or between their
pixels survives.
"""

from __future__ import annotations

from enum import StrEnum

from tokportal_server.uploads.limits import UnsupportedMediaTypeError

SNIFFED_BYTES = 4096
"""How many of a file's first bytes ``sniff`` wants."""


class MediaType(StrEnum):
    """The types that are taken; the value is the MIME type."""

    MP4 = "video/mp4"
    MOV = "video/quicktime"
    WEBM = "video/webm"
    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    GIF = "image/gif"
    HEIC = "image/heic"

    @property
    def is_video(self) -> bool:
        """Tell videos from images."""
        return self.value.startswith("video/")


# Brands as registered at mp4ra.org. A still picture may name video brands beside its own, so a
# file whose first brand is one of these is never taken for a video; AVIF is taken for nothing.
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis"})
_STILL_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"avif", b"avis"})
_MOV_BRANDS = frozenset({b"qt  "})
_MP4_BRANDS = frozenset(
    {b"isom", b"mp41", b"mp42", b"mp71", b"avc1", b"M4V ", b"M4VH", b"M4VP", b"MSNV", b"dash"}
    | {b"iso%d" % digit for digit in range(2, 10)}
    | {b"f4v ", b"XAVC", b"cmfc", b"hvc1", b"av01", b"3gp4", b"3gp5", b"3gp6", b"3g2a"}
)
# Cameras older than the ftyp box begin with one of these.
_OLD_MOV_BOXES = frozenset({b"moov", b"mdat", b"wide"})
_EBML = b"\x1a\x45\xdf\xa3"
_DOCTYPE_WEBM = b"\x42\x82\x84webm"


def sniff(head: bytes) -> MediaType:
    """Give the type of a file that begins with ``head`` (its first ``SNIFFED_BYTES``).

    Raises UnsupportedMediaTypeError for everything that is not taken.
    """
    found = _image(head) or _film(head)
    if found is None:
        raise UnsupportedMediaTypeError(
            "The file's bytes are of no type that is taken. Send a video as MP4, MOV or WebM, "
            "an image as JPEG, PNG, WebP, GIF or HEIC; its name and content_type do not count.",
            details={"accepted": [str(kind) for kind in MediaType]},
        )
    return found


def _image(head: bytes) -> MediaType | None:
    if head.startswith(b"\xff\xd8\xff"):
        return MediaType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaType.PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return MediaType.GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return MediaType.WEBP
    return None


def _film(head: bytes) -> MediaType | None:
    """Tell the two container families; HEIC is one of the first."""
    if head.startswith(_EBML):
        # DocType stands in the EBML header, whose few elements are in the first 64 bytes.
        return MediaType.WEBM if _DOCTYPE_WEBM in head[:64] else None
    box = head[4:8]
    if box == b"ftyp":
        return _of_brands(head)
    return MediaType.MOV if box in _OLD_MOV_BOXES else None


def _of_brands(head: bytes) -> MediaType | None:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major} | {head[at : at + 4] for at in range(16, end - 3, 4)}
    if major in _HEIC_BRANDS or (major in _STILL_BRANDS and brands & _HEIC_BRANDS):
        return MediaType.HEIC
    if major in _MOV_BRANDS:
        return MediaType.MOV
    if brands & _MP4_BRANDS and major not in _STILL_BRANDS:
        return MediaType.MP4
    return None
