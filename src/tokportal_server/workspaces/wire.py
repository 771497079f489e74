"""The reference lists of contract section 5: countries and platforms."""

from __future__ import annotations

import msgspec


class Country(msgspec.Struct, frozen=True):
    """A country as orders name it, and what can be ordered there."""

    code: str
    name: str
    enabled_for: list[str]


class Platform(msgspec.Struct, frozen=True):
    """A social platform with its limits (characters, and pictures of a carousel)."""

    code: str
    name: str
    enabled: bool
    video_types: list[str]
    caption_max: int
    comment_max: int
    carousel_max: int
    features: list[str]
