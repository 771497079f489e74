"""Texts of strangers, as they can be stored and sent."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """Give a text without lone surrogates, which JSON can write and UTF-8 cannot."""
    return _SURROGATE.sub("\ufffd", text)


def storable(text: str, most: int) -> str:
    """Give a text as PostgreSQL takes it, cut to ``most`` characters."""
    return encodable(text[:most]).replace("\0", "\ufffd")
