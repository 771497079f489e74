"""What is wrong with a field is said in words that a caller can act on."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from tests.client import Client
from tokportal_server.http.wording import describe, shown

Word = Annotated[str, Meta(min_length=1, max_length=3)]
Code = Annotated[str, Meta(pattern="^[a-z]+$", extra={"accepts": "small letters alone"})]


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    """A nested object."""

    left: int
    right: int | None = None


def told(annotation: Any, value: object) -> tuple[str, str, object]:
    """Have the decoder refuse a value; give what is said of it."""
    with pytest.raises(msgspec.ValidationError) as refusal:
        msgspec.convert(value, annotation)
    return describe(annotation, value, str(refusal.value))


@pytest.mark.parametrize(
    ("annotation", "value", "sentence"),
    [
        (int, "2", "must be a whole number"),
        (int | None, 2.5, "must be a whole number"),
        (float, "x", "must be a number"),
        (bool | None, "yes", "must be true or false"),
        (str, None, "must be a text"),
        (list[str] | None, "a", "must be a list"),
        (Pair, [], "must be an object"),
        (Annotated[int, Meta(ge=1)], 0, "must be 1 or more"),
        (Annotated[int, Meta(le=5)], 6, "must be 5 or less"),
        (Annotated[float, Meta(gt=0)], 0.0, "must be more than 0.0"),
        (Word, "", "must have at least 1 character"),
        (Word | None, "abcd", "must have at most 3 characters"),
        (Annotated[list[str], Meta(max_length=1)], ["a", "b"], "must have at most 1 item"),
        (Code, "A", "must be small letters alone"),
        (Annotated[str, Meta(pattern="^a$")], "b", "must match ^a$"),
        (date, "soon", "must be a day such as 2026-11-27"),
        (UUID | None, "x", "must be an id, which is a UUID"),
        (Literal["a", "b"], "c", "must be one of a, b"),
        (Pair, {}, "lacks left"),
        (Pair | None, {"left": 1, "up": 2}, "has no field up; there are left, right"),
    ],
)
def test_says_what_to_send_instead(annotation: Any, value: object, sentence: str) -> None:
    assert told(annotation, value) == ("", sentence, value)


def test_names_the_item_that_is_wrong_and_shows_it_alone() -> None:
    assert told(list[Literal["a", "b"]], ["a", "c"]) == ("[1]", "must be one of a, b", "c")
    assert told(list[Pair], [{"left": 1}, {"left": "x"}]) == (
        "[1].left",
        "must be a whole number",
        "x",
    )


def test_too_long_a_list_of_choices_is_not_taken_for_a_wrong_choice() -> None:
    annotation = Annotated[list[Literal["a", "b"]], Meta(max_length=1)]
    assert told(annotation, ["a", "b"])[1] == "must have at most 1 item"


def test_a_value_is_shown_as_it_was_sent_and_not_at_any_length() -> None:
    assert [shown(value) for value in ("x", 7, True, 1.5)] == ["'x'", "7", "true", "1.5"]
    assert shown("x" * 500) == f"'{'x' * 60}…'"


async def test_the_first_problem_of_an_answer_shows_the_value(alice: Client) -> None:
    refused = await alice.get("/bundles?page=x&per_page=101")
    assert refused.json["error"]["message"] == (
        "page: must be a whole number; got 'x' (1 more in details.errors)"
    )
    assert refused.problems == {"page": "must be a whole number", "per_page": "must be 100 or less"}
