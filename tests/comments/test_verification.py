# Texts in several scripts, of which many characters look alike.
# ruff: noqa: RUF001
from __future__ import annotations

from uuid import uuid4

import pytest

from tests.comments.steps import TEXT, post
from tokportal_server.comments.verification import (
    CannotLookError,
    FoundComment,
    Look,
    LookFailedError,
    judge,
    look_for,
)

OURS, OTHERS = "acme.daily", "somebody"
ELSE = "I do not like this at all."


def look(comment_id: str | None = None, text: str = TEXT) -> Look:
    """Give a look for our comment, of which the manager said this id or none."""
    return Look(
        workspace_id=uuid4(),
        task_id=uuid4(),
        saved_account_id=uuid4(),
        platform="tiktok",
        post_url=post(),
        post="1",
        author_handle=OURS,
        text=text,
        comment_id=comment_id,
        attempt=1,
    )


@pytest.mark.parametrize(
    ("handed_in", "comments", "outcome", "found"),
    [
        ("1", [("1", OURS, TEXT)], "verified", "1"),
        (None, [("9", OTHERS, ELSE), ("2", OURS, TEXT)], "verified", "2"),
        # The platform may number comments otherwise than its pages do.
        ("1", [("2", OURS, TEXT)], "verified", "2"),
        (None, [("1", "@Acme.Daily", TEXT.upper() + "\ufe0f")], "verified", "1"),
        (None, [("1", OURS, ELSE), ("2", OURS, TEXT)], "verified", "2"),
        ("1", [("1", OURS, ELSE), ("2", OURS, TEXT)], "wrong_text", "1"),
        ("1", [("1", OURS, ELSE)], "wrong_text", "1"),
        (None, [("1", OURS, ELSE)], "wrong_text", "1"),
        ("1", [("1", OTHERS, TEXT)], "wrong_account", "1"),
        (None, [("1", OTHERS, TEXT)], "wrong_account", "1"),
        # Somebody else may well have had the same thought, or the account another one before.
        ("1", [("2", OTHERS, TEXT)], "couldnt_verify", None),
        ("1", [("2", OURS, ELSE)], "couldnt_verify", None),
        (None, [("1", OTHERS, ELSE)], "couldnt_verify", None),
        ("1", [], "couldnt_verify", None),
    ],
)
def test_a_comment_is_ours_by_its_author_and_its_words(
    handed_in: str | None, comments: list[tuple[str, str, str]], outcome: str, found: str | None
) -> None:
    verdict = judge(look(handed_in), [FoundComment(*comment) for comment in comments])
    assert (verdict.outcome, verdict.comment_id) == (outcome, found)
    assert verdict.seen == len(comments)
    assert (verdict.reason is None) == (outcome == "verified")
    assert (verdict.score is None) == (found is None)


@pytest.mark.parametrize(
    ("ordered", "shown"),
    [
        ("Très bien ! ❤️", "très bien ! ❤"),
        ("שלום עולם", "\u200fשלום עולם"),
        ("とても素敵です！", "とても素敵です!"),
        ("아주 좋아요 👍🏽", "아주  좋아요 👍🏽"),
        ("Отлично, спасибо!", "отлично, спасибо!"),
        ("ممتاز جدا", "ممتاز\u200e جدا"),
    ],
)
def test_a_comment_in_any_script_is_recognised(ordered: str, shown: str) -> None:
    verdict = judge(look(text=ordered), [FoundComment("1", OURS, shown)])
    assert (verdict.outcome, verdict.score) == ("verified", 1)


class _Refusing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def comments(self, _: Look) -> list[FoundComment]:
        raise self._error


async def test_a_source_that_may_not_look_is_not_asked_again() -> None:
    verdict = await look_for(_Refusing(CannotLookError("not connected")), look())
    assert (verdict.outcome, verdict.reason, verdict.again) == (
        "couldnt_verify",
        "not connected",
        False,
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LookFailedError("no answer"), "no answer"),
        (TimeoutError(), "no answer within 15 seconds"),
        (KeyError("a secret"), "looking for the comment failed on our side"),
    ],
)
async def test_a_source_that_failed_is_asked_again(error: Exception, reason: str) -> None:
    verdict = await look_for(_Refusing(error), look())
    assert (verdict.outcome, verdict.reason, verdict.again) == ("scrape_failed", reason, True)
