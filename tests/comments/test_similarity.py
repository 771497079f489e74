# Texts in several scripts, of which many characters look alike.
# ruff: noqa: RUF001
from __future__ import annotations

import random
import string

import pytest

from tokportal_server.comments.rules import LIKE
from tokportal_server.comments.similarity import LikeTexts, likeness, normalise

SAME = [
    ("Great video", "great   VIDEO "),
    ("Love it \u2764\ufe0f", "Love it \u2764"),
    ("ﬁne ①", "fine 1"),
    ("Ｇｒｅａｔ", "great"),
    ("STRASSE", "straße"),
    ("café", "cafe\u0301"),
    ("שלום עולם", "\u200fשלום\u200f עולם\u202c"),
    ("مرحبا بكم", "\u202bمرحبا بكم\u202c"),
    ("すごい!", "すごい！"),
    ("ｽｺﾞｲ", "スゴイ"),
    ("한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165"),
    ("नमस्ते", "नमस्ते\u200b"),
    ("👩\u200d🍳 yes", "👩🍳 yes"),
    ("one\u00a0two\nthree", "one two three"),
    ("🔥", "🔥"),
    ("", " \u200e"),
]
OTHER = [
    ("Great video", "Great audio"),
    ("🔥", "❄"),
    ("🔥", "🔥🔥"),
    ("Yes", "No"),
    ("Привет, мир", "Привет, Рим и мир"),
    ("שלום", "מולש"),
    ("すごい", "すごくない"),
    ("x", ""),
    ("Buy now at our shop", "Never buy at our shop"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_readers_do_not_see_makes_no_other_text(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert likeness(one, other) == 1


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_words_are_another_text(one: str, other: str) -> None:
    assert likeness(one, other) < 0.95
    assert likeness(one, other) == likeness(other, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("night", "nacht", 0.25),
        ("aaaa", "aa", 2 * 1 / (3 + 1)),
        ("abc", "abd", 0.5),
        ("ab", "cd", 0),
    ],
)
def test_counts_shared_pairs_twice_over_all_pairs(one: str, other: str, expected: float) -> None:
    assert likeness(one, other) == pytest.approx(expected)


def test_a_slip_of_the_pen_in_a_long_text_is_let_pass() -> None:
    text = "This is the best bread that I have seen in a long time, thank you for the recipe"
    assert likeness(text, text.replace("bread", "braed")) >= 0.95
    assert likeness(text, text.replace("bread", "pasta and cheese")) < 0.95


def test_the_search_finds_what_comparing_with_every_text_finds() -> None:
    chance = random.Random(7)

    def words() -> str:
        text = "".join(chance.choices(string.ascii_lowercase[:6] + " ", k=chance.randint(1, 60)))
        return text * chance.randint(1, 2)

    kept = [words() for _ in range(200)]
    asked = [words() for _ in range(40)]
    # And many that differ from a kept one by a few characters.
    for text in kept:
        changed = list(text)
        for _ in range(chance.randint(0, 3)):
            changed[chance.randrange(len(changed))] = chance.choice("abcdef ")
        asked.append("".join(changed))
    search = LikeTexts(LIKE)
    for text in kept:
        search.add("somebody", text)
    found = 0
    for text in asked:
        alike = [other for other in kept if likeness(text, other) >= LIKE]
        assert (
            (search.of_others("me", text) in alike)
            if alike
            else (search.of_others("me", text) is None)
        )
        assert search.of_others("somebody", text) is None
        found += bool(alike)
    assert 100 < found < len(asked)


def test_the_search_finds_a_long_text_of_which_little_was_changed() -> None:
    chance = random.Random(11)
    vocabulary = ["".join(chance.choices(string.ascii_lowercase, k=6)) for _ in range(500)]
    kept = [" ".join(chance.choices(vocabulary, k=chance.randint(40, 300))) for _ in range(60)]
    search = LikeTexts(LIKE)
    for text in kept:
        search.add("somebody", text)
    for text in kept:
        words = text.split()
        words[len(words) // 2] = "changed"
        assert search.of_others("me", " ".join(words)) == text
        assert search.of_others("me", " ".join(chance.choices(vocabulary, k=len(words)))) is None
