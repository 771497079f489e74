"""A parser under attack: what is called with the bytes, and bytes that it likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """``check`` raises if the parser does anything but answer or refuse in its own words.

    ``seeds`` are inputs that are read to the end: what is made up begins from them.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def text_of(data: bytes) -> str:
    """Make a text of any bytes, lone surrogates included."""
    return data.decode("utf-8", "surrogateescape")


def pieces_of(data: bytes, count: int) -> list[bytes]:
    """Split bytes at the rare byte 0xFF, so that one input can hold several values."""
    pieces = data.split(b"\xff", count - 1)
    return pieces + [b""] * (count - len(pieces))
