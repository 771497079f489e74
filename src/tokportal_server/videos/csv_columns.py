"""The columns of a CSV of slots, and how a cell is read and written (contract section 7).

Every column is a field of ``configureBundleVideo``. What is written is read back as the same value:

- Lists are separated by ``;``. An item that contains one, or a quote, or begins or ends with a
  blank is put in double quotes, and quotes in it are doubled.
- Spreadsheets take a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break for a
  formula. An apostrophe is written in front of such a text, and one in front of such a text is
  dropped when it is read; a formula that comes without is kept as the plain text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

COLUMNS: Final = (
    "position",
    "video_type",
    "description",
    "target_publish_date",
    "video_url",
    "carousel_images",
    "carousel_title",
    "story_image_url",
    "story_repost_url",
    "tiktok_sound_url",
    "instagram_content_type",
    "instagram_location",
    "instagram_collaborators",
    "instagram_audio_name",
    "instagram_add_to_story",
    "editing_instructions",
    "external_ref",
    "name",
    "ai_content_disclaimer",
    "disclose_as_ads",
    "volume_original_sound",
    "volume_added_sound",
    "instant_repost_as_story",
)
DATE: Final = "target_publish_date"
# Another name for the date, as the slot object has it.
START_DATE: Final = "target_publish_start_date"
REQUIRED: Final = ("position", "video_type", DATE)
_BOOLEANS = frozenset(
    {
        "instagram_add_to_story",
        "ai_content_disclaimer",
        "disclose_as_ads",
        "instant_repost_as_story",
    }
)
_NUMBERS = frozenset({"position", "volume_original_sound", "volume_added_sound"})
_LISTS = frozenset({"carousel_images", "instagram_collaborators"})
_DATES = frozenset({DATE, START_DATE})
# Words of the people who post: blanks at their ends may be meant.
_PROSE = frozenset(
    {
        "description",
        "carousel_title",
        "editing_instructions",
        "name",
        "external_ref",
        "instagram_location",
        "instagram_audio_name",
    }
)
_SPOKEN = {"true": True, "1": True, "false": False, "0": False}
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# Nothing is given back once it is taken (`*+`): thousands of blanks would be tried in every split.
_ITEM = re.compile(r'\s*+("(?:[^"]|"")*+"|[^";][^;]*+|)\s*+(?:;|\Z)')
_NEEDS_QUOTES = re.compile(r'[;"]|\A\s|\s\Z|\A\Z')


class CellError(ValueError):
    """A cell cannot be read; the message says what it must be."""


def read_cell(column: str, text: str) -> Any:
    """Give the value of a cell; None if it is empty.

    Raises:
        CellError: it is not what the column holds.
    """
    if text.startswith("'") and _FORMULA.match(text):
        text = text[1:]
    if column not in _PROSE:
        text = text.strip()
    if not text:
        return None
    if column in _BOOLEANS:
        if text.lower() not in _SPOKEN:
            raise CellError("must be true, false, 1 or 0")
        return _SPOKEN[text.lower()]
    if column in _NUMBERS:
        if not _NUMBER.fullmatch(text):
            raise CellError("must be a whole number")
        return int(text)
    if column in _DATES and not _DAY.fullmatch(text):
        # Spreadsheets like to write days in their own way.
        raise CellError("must be a day written as YYYY-MM-DD")
    return _read_list(text) if column in _LISTS else text


def write_cell(column: str, value: Any) -> str:
    """Give the cell that :func:`read_cell` reads as ``value``."""
    if value is None:
        return ""
    if column in _BOOLEANS:
        return "true" if value else "false"
    text = _write_list(value) if column in _LISTS else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _read_list(text: str) -> list[str]:
    items, at = [], 0
    while at < len(text):
        match = _ITEM.match(text, at)
        if match is None:
            raise CellError('is no list: items are separated by ";", and quotes are closed')
        item, at = match[1].rstrip(), match.end()
        if item:
            items.append(item[1:-1].replace('""', '"') if item[0] == '"' else item)
    return items


def _write_list(items: Sequence[str]) -> str:
    return ";".join(
        '"{}"'.format(item.replace('"', '""')) if _NEEDS_QUOTES.search(item) else item
        for item in items
    )
