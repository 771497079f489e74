"""Words of a comment, in any script."""

from __future__ import annotations

import unicodedata
from typing import Final

import regex

# Letters with their marks; an apostrophe ends a word, so that l'équipe gives équipe.
_WORD: Final = regex.compile(r"\p{L}[\p{L}\p{M}]*")
# What is addressed to somebody, or is a link, is not what the comment says.
_NOT_WORDS: Final = regex.compile(r"https?://\S+|www\.\S+|[@][\p{L}\p{N}_.]+", regex.IGNORECASE)
# "soooo" and "so" are one word; nowhere does a letter stand three times in a row.
_DRAWN_OUT: Final = regex.compile(r"(\p{L})\1{2,}")


def words_of(text: str) -> list[str]:
    """Give the words of a text in their order, in lower case and composed form (NFC)."""
    plain = _NOT_WORDS.sub(" ", unicodedata.normalize("NFC", text).lower())
    return _WORD.findall(_DRAWN_OUT.sub(r"\1", plain))
