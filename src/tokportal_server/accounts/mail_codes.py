"""Which number of a mail is its verification code: a pure function, without any network.

1. HTML becomes lines of text; addresses of pages are dropped, for they are full of digits.
2. Candidates are numbers of 4 to 8 digits, also in groups such as ``482 913`` or ``482-913``.
3. A candidate counts if a word for "code" is near it; the nearest wins, before rather than after.
   Numbers of orders, amounts and times never count, years only if a code word leads right to them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Final

from tokportal_server.accounts.code_words import CODE_WORD, NUMBERED_THING, OTHER_CODE, UNIT

# How far a word for "code" may be from the number, in characters.
_NEAR: Final = 120
_NEAR_A_YEAR: Final = 15
_AFTERWARDS: Final = 30
_BEFORE: Final = 40
_LONGEST: Final = 200_000
# Addresses of mail are sought from a word's beginning: from each letter anew takes for ever.
_PAGE_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S+|(?<!\S)\S+@\S+")
_CANDIDATE: Final = re.compile(
    r"(?<![A-Za-z0-9_.,:/+=$€£#-])"
    r"(?:[A-Z]{1,3}-)?"
    r"([0-9]{4,8}|[0-9]{3}[ -][0-9]{3}|[0-9]{4}[ -][0-9]{4}|[0-9](?:[ \n][0-9]){3,7})"
    r"(?![A-Za-z0-9_/+=]|[.,:-][0-9]| ?[0-9])"
)
_YEAR: Final = re.compile(r"(?:19|20)[0-9]{2}")
_BLOCKS: Final = frozenset(
    (
        *("address", "article", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li"),
        *("ol", "p", "section", "table", "tbody", "td", "th", "tr", "ul"),
    )
)
# Without a blank after them they would look like those inside a number.
_WIDE_MARKS: Final = str.maketrans({"\uff0c": ", ", "\uff1a": ": ", "\uff0e": ". "})
# The standard library's parser takes minutes for a mail of tags that do not end (of Python 3.11.7;
# it searches the rest for each of them). Here each character is passed once: what does not end
# lasts to the next "<", or to the end.
_MARKUP: Final = re.compile(
    r"""(?isx)
      <!--.*?(?:-->|\Z)                                            # a comment
    | <(head|script|style|template|title)\b.*?(?:</\1\s*+>|\Z)     # what nobody sees
    | <(/?[a-z][a-z0-9]*)(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>      # a tag
    | <(/?[a-z][a-z0-9]*)[^<>]*+>?                                 # one whose quotes do not close
    | <[!?/][^<>]*+>?                                              # a declaration
    """
)
# Of more digits than any character has; a number of thousands of digits is an error to read.
_NO_CHARACTER: Final = re.compile(r"&#[0-9]{8,};?|&#x[0-9a-f]{7,};?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Found:
    digits: str
    distance: int


def find_code(*, subject: str = "", text: str = "", html: str = "") -> str | None:
    """Give the verification code of a mail, digits only, or None if it has none.

    The plain part is read first; the HTML part only if nothing is found there.
    """
    for body in (text, text_of_html(html) if html else ""):
        lines = _plain(f"{subject}\n{body}"[:_LONGEST])
        if found := _nearest(lines):
            return found
    return None


def text_of_html(html: str) -> str:
    """Give what a reader of an HTML mail sees, block by block on lines of its own."""
    html, at = html[:_LONGEST], 0
    parts: list[str] = []
    for mark in _MARKUP.finditer(html):
        parts.append(_seen(html[at : mark.start()]))
        tag = (mark[2] or mark[3] or "").removeprefix("/")
        if tag.lower() in _BLOCKS:
            parts.append("\n")
        at = mark.end()
    return "".join([*parts, _seen(html[at:])])


def _seen(text: str) -> str:
    # Line breaks of the source mean nothing.
    return re.sub(r"\s+", " ", unescape(_NO_CHARACTER.sub("", text)))


def _plain(text: str) -> str:
    """Write a mail's text with digits of ours, single blanks and no addresses."""
    text = unicodedata.normalize("NFKC", text.translate(_WIDE_MARKS))
    text = "".join(
        str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text
    )
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = _PAGE_ADDRESS.sub(" ", text)
    return re.sub(r" *\n\s*", "\n", re.sub(r"[^\S\n]+", " ", text))


def _nearest(text: str) -> str | None:
    words = [
        word.span()
        for word in CODE_WORD.finditer(text)
        if not OTHER_CODE.search(text[max(0, word.start() - _BEFORE) : word.start()])
        and not OTHER_CODE.search(re.sub(r"(?i)codes?\Z", "", word.group()) or "-")
    ]
    found = list(_candidates(text, words))
    return min(found, key=lambda one: one.distance).digits if found else None


def _candidates(text: str, words: list[tuple[int, int]]) -> Iterator[_Found]:
    ends = [last for _, last in words]
    for match in _CANDIDATE.finditer(text):
        begin, end = match.span()
        # The nearest is the last word before the number or the first after it.
        after = bisect_right(ends, begin)
        around = words[max(0, after - 1) : after + 1]
        distance = min((_distance(word, begin, end) for word in around), default=_NEAR + 1)
        digits = re.sub(r"[^0-9]", "", match[1])
        near = _NEAR_A_YEAR if _YEAR.fullmatch(digits) else _NEAR
        if distance <= near and not _counts_something_else(text, begin, end):
            yield _Found(digits, distance)


def _distance(word: tuple[int, int], begin: int, end: int) -> int:
    first, last = word
    return begin - last if last <= begin else first - end + _AFTERWARDS


def _counts_something_else(text: str, begin: int, end: int) -> bool:
    """Say whether a number is an order's, an amount or a time."""
    if UNIT.match(text, end):
        return True
    before = text[max(0, begin - _BEFORE) : begin].rpartition("\n")[2]
    things = [thing.end() for thing in NUMBERED_THING.finditer(before)]
    words = [word.end() for word in CODE_WORD.finditer(before)]
    return bool(things) and max(things) > max(words, default=0)
