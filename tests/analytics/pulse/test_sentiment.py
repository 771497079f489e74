from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tokportal_server.analytics.pulse.lexicon import LANGUAGES
from tokportal_server.analytics.pulse.sentiment import mood_of

# Written and labelled by hand before the method was run on them, and never tuned to.
SAMPLES = [
    line.split("\t")
    for line in (Path(__file__).parent / "samples.tsv").read_text(encoding="utf-8").splitlines()
]
FLOOR_OF_ONE_LANGUAGE = 0.75
FLOOR = 0.85


def test_every_language_of_the_method_has_samples_of_each_mood() -> None:
    assert {language for language, _, _ in SAMPLES} == set(LANGUAGES)
    assert {(language, mood) for language, mood, _ in SAMPLES} == {
        (language, mood) for language in LANGUAGES for mood in ("positive", "negative", "neutral")
    }


def test_judges_labelled_comments_in_seven_languages(capsys: pytest.CaptureFixture[str]) -> None:
    of, right = Counter[str](), Counter[str]()
    for language, mood, comment in SAMPLES:
        of[language] += 1
        right[language] += mood_of(comment) == mood
    share = {language: right[language] / of[language] for language in of}
    with capsys.disabled():
        shown = ", ".join(f"{one} {right[one]}/{of[one]}" for one in sorted(of))
        print(f"\nmoods judged as labelled: {shown}")  # noqa: T201 - the measurement itself
    assert {one: found for one, found in share.items() if found < FLOOR_OF_ONE_LANGUAGE} == {}
    assert right.total() / of.total() >= FLOOR


@pytest.mark.parametrize("text", ["", "   ", "12345", "@mona_lou", "https://a.example/love?hate"])
def test_what_says_nothing_is_unknown(text: str) -> None:
    assert mood_of(text) == "unknown"


@pytest.mark.parametrize(
    "text", ["это ужасно плохо", "この動画が大好き", "هذا رائع جدا", "qwrt zxcvb"]
)
def test_a_language_without_a_list_is_unknown_rather_than_guessed(text: str) -> None:
    assert mood_of(text) == "unknown"


def test_emoji_speak_in_every_language() -> None:
    assert mood_of("это 😍😍") == "positive"
    assert mood_of("🤮") == "negative"


def test_emoji_that_mean_two_things_decide_nothing() -> None:
    assert mood_of("😂😂😭💀") == "unknown"


def test_a_denial_turns_a_word_round() -> None:
    assert mood_of("this is not good") == "negative"
    assert mood_of("das ist nicht schlecht") == "positive"


def test_drawn_out_letters_are_the_same_word() -> None:
    assert mood_of("I loooooove this") == "positive"
