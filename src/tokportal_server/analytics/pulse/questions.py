"""Which comments ask something: by their marks, or by a word that begins nothing but a question."""

from __future__ import annotations

from typing import Final

import regex

from tokportal_server.analytics.pulse.words import words_of

# ? ¿ and the marks of Chinese and Japanese, Arabic, Greek, Armenian and Amharic.
_MARKS: Final = regex.compile("[?¿\uff1f؟\u037e՞፧]")
# Words that exclaim as well ("what a day", "qué bonito", "wie schön") are left out.
_OPENERS: Final = frozenset(
    {
        *("where", "when", "why", "who", "whose", "which"),
        *("dónde", "donde", "cuándo", "quién", "quiénes", "cuál", "cuáles"),
        *("où", "pourquoi", "combien", "lequel", "laquelle"),
        *("wo", "wann", "warum", "wieso", "weshalb", "woher", "welche", "welcher", "welches"),
        *("dove", "perché", "perchè", "quale", "quanto"),
        *("onde", "quem", "qual", "quais"),
        *("waar", "wanneer", "waarom", "welke"),
    }
)
_OPENING_PAIRS: Final = frozenset(
    {
        ("how", "do"),
        ("how", "did"),
        ("how", "can"),
        ("how", "much"),
        ("how", "many"),
        ("how", "long"),
        ("what", "is"),
        ("what", "are"),
        ("what", "app"),
        ("what", "song"),
        ("can", "you"),
        ("can", "i"),
        ("est", "ce"),
    }
)


def is_question(text: str) -> bool:
    """Say whether a comment asks something; an address with a question mark in it does not."""
    plain = regex.sub(r"https?://\S+", " ", text)
    if _MARKS.search(plain):
        return True
    words = words_of(plain)
    if len(words) < 3:
        return False
    return words[0] in _OPENERS or (words[0], words[1]) in _OPENING_PAIRS
