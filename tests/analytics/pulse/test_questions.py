from __future__ import annotations

import pytest

from tokportal_server.analytics.pulse.questions import is_question


@pytest.mark.parametrize(
    "text",
    [
        "Where did you get this",
        "how much does it cost",
        "¿Dónde lo compraste",
        "où est ce que tu l'as trouvé",
        "wo gibt es das denn",
        "dove lo hai comprato",
        "これは何ですか\uff1f",
        "ما هذا؟",
        "link?",
    ],
)
def test_finds_questions(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize(
    "text",
    ["what a day", "qué bonito", "wie schön das ist", "see https://a.example/?q=1", "why", ""],
)
def test_exclamations_and_addresses_ask_nothing(text: str) -> None:
    assert not is_question(text)
