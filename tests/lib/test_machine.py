"""State machines as tables."""

from __future__ import annotations

import pytest

from tokportal_server.lib.machine import IllegalTransitionError, Machine, Transition

DOOR = Machine(
    "door",
    table="doors",
    key="id",
    transitions=(
        Transition(None, "open", "door.made", "carpenter"),
        Transition("open", "shut", "door.shut", "wind"),
        Transition("shut", "open", None, "guest"),
        Transition("shut", "gone", "door.gone", "fire"),
        Transition("open", "gone", "door.gone", "fire"),
    ),
)
STATES = (None, "open", "shut", "gone")


def test_states_stand_in_the_order_of_the_table() -> None:
    assert DOOR.states == ("open", "shut", "gone")


@pytest.mark.parametrize("source", STATES)
@pytest.mark.parametrize("target", STATES[1:])
def test_allows_what_the_table_has_and_nothing_else(source: str | None, target: str) -> None:
    row = [t for t in DOOR.transitions if (t.source, t.target) == (source, target)]
    assert DOOR.allows(source, target) is bool(row)
    if row:
        assert DOOR.transition(source, target) is row[0]
    else:
        with pytest.raises(IllegalTransitionError, match=f"door: {source} -> {target}"):
            DOOR.transition(source, target)


@pytest.mark.parametrize(
    ("target", "sources"),
    [("open", ["shut"]), ("gone", ["shut", "open"]), ("shut", ["open"]), ("lost", [])],
)
def test_tells_whence_a_status_can_be_reached(target: str, sources: list[str]) -> None:
    assert DOOR.allowed_from(target) == sources


def test_a_change_stands_in_the_table_once() -> None:
    with pytest.raises(ValueError, match="lists a transition twice"):
        Machine(
            "door",
            table="doors",
            key="id",
            transitions=[
                Transition("open", "shut", None, "wind"),
                Transition("open", "shut", "door.shut", "guest"),
            ],
        )


def test_the_picture_has_every_change_with_its_event_or_its_actor() -> None:
    assert DOOR.mermaid().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> open : door.made",
        "    open --> shut : door.shut",
        "    shut --> open : guest",
        "    shut --> gone : door.gone",
        "    open --> gone : door.gone",
    ]
