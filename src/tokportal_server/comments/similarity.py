"""How alike two texts are: Sørensen-Dice on the letter pairs of normalised Unicode.

A platform may send a text back with other spaces, other forms of the same characters or without
marks that show nothing; none of that makes it another text (contract section 10).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable
from typing import Final

# Variation selectors: they choose between the plain and the colourful form of a character.
_SELECTORS: Final = frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))

_MASK_BITS: Final = 2048
# From how many characters on texts are compared by groups of six, of which one in eight is sampled.
_LONG: Final = 300
_LONG_GROUP: Final = 6
_SAMPLED: Final = 8
_SLACK: Final = 0.25


def normalise(text: str) -> str:
    """Give a text without what readers do not see.

    NFKC, case folded, white space as single blanks; without variation selectors and format
    characters, among them marks of direction and joiners.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    seen = (c for c in folded if c not in _SELECTORS and unicodedata.category(c) != "Cf")
    return " ".join("".join(seen).split())


def groups(text: str, size: int) -> Counter[str]:
    """Count the groups of ``size`` neighbouring characters of a normalised text.

    A shorter text is one group, so that a single emoji can be compared too.
    """
    if not text:
        return Counter()
    return Counter(text[i : i + size] for i in range(max(1, len(text) - size + 1)))


def likeness(one: str, other: str) -> float:
    """Give the Sørensen-Dice coefficient of two texts, from 0 to 1; two empty texts are alike."""
    return _dice(groups(normalise(one), 2), groups(normalise(other), 2))


def _dice(one: Counter[str], other: Counter[str]) -> float:
    size = one.total() + other.total()
    return 2 * (one & other).total() / size if size else 1.0


class LikeTexts:
    """Finds, among texts of several owners, one that is like a new one and somebody else's.

    Short texts are compared by their pairs. Long ones of one language have nearly all pairs in
    common, so as soon as one of two has ``_LONG`` characters, their groups of six are compared.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._texts: list[tuple[Hashable, str, _Sketch, _Sketch]] = []

    def add(self, owner: Hashable, text: str) -> None:
        """Keep a text."""
        normalised = normalise(text)
        self._texts.append((owner, text, _Sketch(normalised, 2), _Sketch(normalised, _LONG_GROUP)))

    def of_others(self, owner: Hashable, text: str) -> str | None:
        """Give a kept text of another owner that is like ``text``, or None."""
        normalised = normalise(text)
        long = len(normalised) >= _LONG
        pair, six = _Sketch(normalised, 2), _Sketch(normalised, _LONG_GROUP)
        for other, kept, its_pair, its_six in self._texts:
            one, its = (six, its_six) if long or its_six.long else (pair, its_pair)
            if other != owner and one.may_be_like(its, self._least):
                counted = groups(normalise(kept), one.group)
                if _dice(groups(normalised, one.group), counted) >= self._least:
                    return kept
        return None


class _Sketch:
    """What tells most texts apart at once: a mask of the groups in a text.

    Each bit that only one of two masks has stands for a group that the texts do not share, so what
    is left bounds their likeness from above. Of a long text's groups only a sample is looked at,
    by which the bound becomes an estimate; ``_SLACK`` is more than it is ever off by.
    """

    __slots__ = ("_mask", "_total", "group", "long")

    def __init__(self, text: str, group: int) -> None:
        self.group = group
        self.long = len(text) >= _LONG
        self._mask = 0
        self._total = 0
        if group == 2 and self.long:
            # Long texts are never compared by their pairs.
            return
        for one, times in groups(text, group).items():
            place = hash(one)
            if group == _LONG_GROUP and place % _SAMPLED:
                continue
            self._mask |= 1 << place // _SAMPLED % _MASK_BITS
            self._total += times

    def may_be_like(self, other: _Sketch, least: float) -> bool:
        """Say whether the likeness can reach ``least``."""
        if self.group == _LONG_GROUP:
            least -= _SLACK
        enough = least * (self._total + other._total) / 2
        return (
            self._total - (self._mask & ~other._mask).bit_count() >= enough
            and other._total - (other._mask & ~self._mask).bit_count() >= enough
        )
