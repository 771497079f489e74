from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from tokportal_server.analytics.pulse.counting import pulse_of

POST = UUID("018f0000-0000-7000-8000-000000000001")


def comment(text: str, *, likes: int | None = None, on: int | None = 3) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "tracked_post_id": POST,
        "author_handle": "charlie",
        "text": text,
        "like_count": likes,
        "posted_at": None if on is None else datetime(2026, 11, on, 23, 59, tzinfo=UTC),
    }


def test_counts_days_moods_and_posts() -> None:
    pulse = pulse_of(
        [
            comment("I love this serum", on=4),
            comment("this serum is terrible", on=3),
            comment("это", on=3),
            comment("I have the same one in blue", on=None),
        ]
    )
    assert [(day.date, day.count) for day in pulse.volume] == [
        (date(2026, 11, 3), 2),
        (date(2026, 11, 4), 1),
    ]
    mood = pulse.sentiment
    assert (mood.positive, mood.neutral, mood.negative, mood.unknown) == (1, 1, 1, 1)
    assert mood.method == "afinn-165-multilingual+emoji/1"
    assert (pulse.posts_considered, pulse.comments_considered) == (1, 4)


def test_a_term_counts_once_in_a_comment_and_stop_words_do_not() -> None:
    pulse = pulse_of([comment("serum serum serum and the serum"), comment("Das Serum")])
    assert [(term.term, term.count) for term in pulse.terms] == [("serum", 2)]


def test_quotes_the_best_liked_comment_of_each_mood_and_the_questions() -> None:
    pulse = pulse_of(
        [
            comment("I love it", likes=1),
            comment("amazing, thank you", likes=9),
            comment("where did you buy this?", likes=None),
        ]
    )
    assert pulse.samples[0].text == "amazing, thank you"
    assert [one.text for one in pulse.questions] == ["where did you buy this?"]


def test_no_comments_have_an_empty_pulse() -> None:
    pulse = pulse_of([])
    assert (pulse.volume, pulse.terms, pulse.samples, pulse.comments_considered) == ([], [], [], 0)
