"""A brand's colour, in shades that can be read where they are used (WCAG 2.2, contrast ratio)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Rgb = tuple[int, int, int]

_WHITE: Final[Rgb] = (255, 255, 255)
_BLACK: Final[Rgb] = (0, 0, 0)
# What WCAG asks of text at level AA; of shapes such as bars it asks 3.
TEXT: Final = 4.5
SHAPES: Final = 3.0
_STEPS: Final = 50


@dataclass(frozen=True, slots=True)
class Shades:
    """``#rrggbb`` each: the brand's own, for text and shapes on paper and on a background, on it.

    ``brand`` is as given, for areas; ``on_brand`` is black or white, whichever is readable there.
    """

    brand: str
    on_brand: str
    text: str
    shape: str


def shades_of(brand: str, background: str = "#ffffff") -> Shades:
    """Give the shades of a ``#rrggbb`` for a background, moved to black or white until read."""
    base, paper = _parsed(brand), _parsed(background)
    away = _BLACK if contrast(paper, _BLACK) > contrast(paper, _WHITE) else _WHITE
    on_brand = _BLACK if contrast(base, _BLACK) >= contrast(base, _WHITE) else _WHITE
    return Shades(
        brand=brand.lower(),
        on_brand=_written(on_brand),
        text=_written(_until_read(base, paper, away, TEXT)),
        shape=_written(_until_read(base, paper, away, SHAPES)),
    )


def contrast(one: Rgb, other: Rgb) -> float:
    """Give the contrast ratio of two colours, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _until_read(base: Rgb, paper: Rgb, away: Rgb, wanted: float) -> Rgb:
    for step in range(_STEPS + 1):
        share = step / _STEPS
        red, green, blue = (
            round(own + (far - own) * share) for own, far in zip(base, away, strict=True)
        )
        if contrast((red, green, blue), paper) >= wanted:
            return red, green, blue
    return away


def _luminance(colour: Rgb) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parsed(colour: str) -> Rgb:
    number = int(colour.removeprefix("#"), 16)
    return number >> 16, number >> 8 & 255, number & 255


def _written(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
