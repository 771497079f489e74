"""Which bytes a request for a stored file is for (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(\d*)-(\d*)[ \t]*", re.IGNORECASE)
_DIGITS = 18


class UnsatisfiableRange(ValueError):  # noqa: N818 - RFC 9110's word for it
    """The range begins behind the end of the file."""


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Give the first byte and the one behind the last, or None for the whole file.

    As the RFC has it, a header that is malformed or in another unit is ignored; so is one with
    several ranges, which a server need not serve.

    Raises:
        UnsatisfiableRange: no byte of the file is in the range.
    """
    found = _ONE_RANGE.fullmatch(header or "")
    if found is None or not any(found.groups()):
        return None
    first, last = (None if text == "" else int(text[-_DIGITS:]) for text in found.groups())
    if max(map(len, found.groups())) > _DIGITS:
        raise UnsatisfiableRange
    if first is None:
        start, end = max(size - (last or 0), 0), size
    elif last is not None and last < first:
        return None
    else:
        start, end = first, size if last is None else min(last + 1, size)
    if start >= end:
        raise UnsatisfiableRange
    return start, end


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the requester has the file already: any of its tags, compared weakly."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def range_applies(if_range: str | None, etag: str) -> bool:
    """Tell whether a range is wanted of this very file; a date never says that, we send none."""
    return if_range is None or if_range.strip() == etag
