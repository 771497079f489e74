"""From comments to their pulse: volume by day, terms, moods, questions, samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from tokportal_server.analytics.pulse.lexicon import stop_words
from tokportal_server.analytics.pulse.questions import is_question
from tokportal_server.analytics.pulse.sentiment import METHOD, Mood, mood_of
from tokportal_server.analytics.pulse.words import words_of

_TERMS: Final = 25
_QUESTIONS: Final = 10
# So many of each mood, the best liked first.
_SAMPLES_OF_A_MOOD: Final = 3
_SHORTEST_TERM: Final = 3


class Comment(Protocol):
    """A stored comment, as far as its pulse needs it."""

    def __getitem__(self, name: str, /) -> Any:
        """Give ``id, tracked_post_id, author_handle, text, like_count, posted_at``."""
        ...


class DayCount(msgspec.Struct, frozen=True):
    """How many comments were written on a day (UTC)."""

    date: date
    count: int


class TermCount(msgspec.Struct, frozen=True):
    """In how many comments a word is; stop words of some fifty languages are left out."""

    term: str
    count: int


class Sentiment(msgspec.Struct, frozen=True):
    """How many comments are of which mood, by the method that is named."""

    method: str
    positive: int
    neutral: int
    negative: int
    unknown: int


class QuotedComment(msgspec.Struct, frozen=True):
    """A comment, quoted."""

    id: UUID
    tracked_post_id: UUID
    author_handle: str
    text: str
    like_count: int | None
    posted_at: datetime | None
    sentiment: Mood


class PlatformOff(msgspec.Struct, frozen=True):
    """A platform whose comments are not read, and why."""

    platform: str
    reason: str


class CommentPulse(msgspec.Struct, frozen=True):
    """What the stored comments say; ``off`` names platforms whose comments may not be read."""

    volume: list[DayCount]
    terms: list[TermCount]
    sentiment: Sentiment
    questions: list[QuotedComment]
    samples: list[QuotedComment]
    posts_considered: int
    comments_considered: int
    off: list[PlatformOff] = []


def pulse_of(comments: Sequence[Comment], off: Iterable[PlatformOff] = ()) -> CommentPulse:
    """Work out the pulse of comments; a comment without a date is in no day's volume."""
    judged = [(comment, mood_of(comment["text"])) for comment in comments]
    moods = Counter(mood for _, mood in judged)
    days = Counter(
        comment["posted_at"].astimezone(UTC).date() for comment in comments if comment["posted_at"]
    )
    return CommentPulse(
        volume=[DayCount(day, days[day]) for day in sorted(days)],
        terms=_terms(comments),
        sentiment=Sentiment(
            method=METHOD,
            positive=moods["positive"],
            neutral=moods["neutral"],
            negative=moods["negative"],
            unknown=moods["unknown"],
        ),
        questions=_most_liked(
            [pair for pair in judged if is_question(pair[0]["text"])], at_most=_QUESTIONS
        ),
        samples=[
            quoted
            for mood in ("positive", "neutral", "negative")
            for quoted in _most_liked(
                [pair for pair in judged if pair[1] == mood], at_most=_SAMPLES_OF_A_MOOD
            )
        ],
        posts_considered=len({comment["tracked_post_id"] for comment in comments}),
        comments_considered=len(comments),
        off=list(off),
    )


def _terms(comments: Sequence[Comment]) -> list[TermCount]:
    """Count in how many comments each word is, so that one that repeats itself counts once."""
    ignored = stop_words()
    counted = Counter(
        word
        for comment in comments
        for word in set(words_of(comment["text"]))
        if len(word) >= _SHORTEST_TERM and word not in ignored
    )
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return [TermCount(term, count) for term, count in ordered[:_TERMS]]


def _most_liked(judged: Sequence[tuple[Comment, Mood]], *, at_most: int) -> list[QuotedComment]:
    # Sorting keeps the order of equals, which is the newest first.
    best = sorted(judged, key=lambda pair: -(pair[0]["like_count"] or 0))[:at_most]
    return [
        QuotedComment(
            id=comment["id"],
            tracked_post_id=comment["tracked_post_id"],
            author_handle=comment["author_handle"],
            text=comment["text"],
            like_count=comment["like_count"],
            posted_at=comment["posted_at"],
            sentiment=mood,
        )
        for comment, mood in best
    ]
