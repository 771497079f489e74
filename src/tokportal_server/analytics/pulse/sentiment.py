"""The mood of a comment by word lists; what they cannot tell is unknown.

1. Which languages can this be? Those whose stop words and listed words it has most of.
2. In each of them, add up valences; a denying word before turns what follows round.
3. Emoji count in every language. If the languages disagree, nobody knows.
"""

from __future__ import annotations

from typing import Final, Literal

from tokportal_server.analytics.pulse.emoji import emoji_valence
from tokportal_server.analytics.pulse.lexicon import Lexicon, lexicons
from tokportal_server.analytics.pulse.words import words_of

Mood = Literal["positive", "neutral", "negative", "unknown"]

METHOD: Final = "afinn-165-multilingual+emoji/1"
# How far before a word a denial still reaches: "not at all good".
_REACH: Final = 3
# A language counts as possible with this share of the best one's evidence.
_CLOSE: Final = 0.85
# "I have the same one" says nothing of a mood, but only if that much of it is understood.
_UNDERSTOOD: Final = 0.4


def mood_of(text: str) -> Mood:
    """Judge one comment."""
    words = words_of(text)
    glad = sum(emoji_valence(text))
    possible = _possible(words)
    if not possible:
        return _named(glad) if glad else "unknown"
    moods = {_named(glad + _valence(words, lexicon)) for lexicon in possible}
    if len(moods) > 1:
        return "unknown"
    mood = moods.pop()
    if mood == "neutral" and not glad and not any(_grasped(words, one) for one in possible):
        return "unknown"
    return mood


def _named(valence: int) -> Mood:
    if valence == 0:
        return "neutral"
    return "positive" if valence > 0 else "negative"


def _possible(words: list[str]) -> list[Lexicon]:
    """Give the languages that a comment can be in; none if no list knows a word of it."""
    scores = {one.language: _familiar(words, one) for one in lexicons().values()}
    best = max(scores.values())
    return [lexicons()[name] for name, score in scores.items() if best and score >= _CLOSE * best]


def _familiar(words: list[str], lexicon: Lexicon) -> float:
    known = 0.0
    for at, word in enumerate(words):
        if word in lexicon.stop_words or word in lexicon.deny or lexicon.valence(words, at)[0]:
            known += 1
    return known


def _grasped(words: list[str], lexicon: Lexicon) -> bool:
    return _familiar(words, lexicon) >= max(2, _UNDERSTOOD * len(words))


def _valence(words: list[str], lexicon: Lexicon) -> int:
    total, at, denied_at = 0, 0, -_REACH - 1
    while at < len(words):
        valence, length = lexicon.valence(words, at)
        if valence:
            total += -valence if at - denied_at <= _REACH else valence
        elif words[at] in lexicon.deny:
            denied_at = at
        at += length
    return total
