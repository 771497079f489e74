from __future__ import annotations

import pytest

from tokportal_server.pages.errors import StaleEditError
from tokportal_server.pages.stale import VERSION_FIELD, as_typed, require_unchanged, version_of

BEFORE = {"title": "Spring", "tags": ["a", "b"], "ads": False, "n": 3, "link": None}


def form(**typed: str) -> dict[str, str]:
    """Give a form that was made from the values before, with some of them changed by a person."""
    shown = {name: as_typed(value) for name, value in BEFORE.items()}
    return {VERSION_FIELD: version_of(BEFORE), **shown, **typed}


def refused(sent: dict[str, str], now: dict[str, object]) -> dict[str, str]:
    """Give what a stale form is told, by field."""
    with pytest.raises(StaleEditError) as caught:
        require_unchanged(sent, now)
    return {one["field"]: one["message"] for one in caught.value.details["errors"]}


def test_takes_a_form_while_nobody_else_has_changed_anything() -> None:
    require_unchanged(form(title="Summer"), BEFORE)


def test_refuses_a_form_whose_field_somebody_changed_and_says_to_what() -> None:
    told = refused(form(title="Summer"), {**BEFORE, "title": "Autumn"})
    assert told == {"title": "was changed meanwhile; it now says “Autumn”"}


def test_refuses_also_when_the_person_did_not_touch_that_field() -> None:
    assert set(refused(form(title="Summer"), {**BEFORE, "n": 4})) == {"n"}


def test_says_what_was_emptied() -> None:
    assert refused(form(), {**BEFORE, "tags": []})["tags"].endswith("now empty")


def test_the_same_form_sent_twice_is_no_conflict() -> None:
    require_unchanged(form(title="Summer"), {**BEFORE, "title": "Summer"})


def test_a_form_without_a_version_overwrites_nothing() -> None:
    sent = form(title="Summer")
    del sent[VERSION_FIELD]
    assert set(refused(sent, BEFORE)) == {"title"}


def test_breaks_of_lines_and_space_around_are_no_change() -> None:
    require_unchanged(form(tags="a\nb\n"), {**BEFORE, "tags": ["a", "b"]})
