"""Scenarios: what is called, how far the clock moves, and what must have come of it, in YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

SHIPPED: Final = Path(__file__).resolve().parent / "scenarios"
Text = Annotated[str, Meta(min_length=1, max_length=500)]
_ACTS: Final = ("call", "upload", "clock", "events")


class ScenarioError(Exception):
    """A scenario cannot be read; the message names the file and the place in it."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to do, and what must be true then.

    Exactly one of: ``call``, such as ``POST /bundles``, with a ``body``; ``upload``, a bundle for
    which a sample video is uploaded; ``clock``, the hours to move it on, or ``next``; ``events``,
    types that must have come in this order, others between them, since the last such step.

    ``expect`` maps ``status`` or a path such as ``data.items.0.status`` to what must stand there;
    ``keep`` maps a name to a path. What was kept stands for ``${name}`` in what follows;
    ``${day+5}`` is the fifth day from the rehearsal's today.
    """

    do: Text
    call: Annotated[str, Meta(pattern="^(GET|POST|PUT|PATCH|DELETE) /")] | None = None
    body: Any = None
    upload: Text | None = None
    clock: Annotated[float, Meta(gt=0, le=8760)] | Literal["next"] | None = None
    events: Annotated[list[Text], Meta(min_length=1)] | None = None
    expect: dict[str, Any] = {}
    keep: dict[str, Text] = {}

    @property
    def act(self) -> str:
        """Which of the four it is."""
        return next(name for name in _ACTS if getattr(self, name) is not None)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Steps in a rehearsal workspace of its own."""

    name: Text
    about: Annotated[str, Meta(min_length=1, max_length=2000)]
    steps: Annotated[list[Step], Meta(min_length=1, max_length=500)]
    credits: Annotated[int, Meta(ge=0, le=1_000_000)] = 1_000
    weights: dict[str, int] | None = None
    seed: Annotated[int, Meta(ge=0)] = 0


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from a file.

    Raises:
        ScenarioError: there is no such file, or it is no scenario; says where.
    """
    try:
        scenario = msgspec.yaml.decode(path.read_bytes(), type=Scenario)
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise ScenarioError(f"{path} is no scenario: {error}.") from error
    for problem in _problems(scenario):
        raise ScenarioError(f"{path}: {problem}.")
    return scenario


def _problems(scenario: Scenario) -> Iterator[str]:
    for number, step in enumerate(scenario.steps, 1):
        acts = [name for name in _ACTS if getattr(step, name) is not None]
        if len(acts) != 1:
            yield f"step {number} ({step.do!r}) must have exactly one of {', '.join(_ACTS)}"
        if step.body is not None and step.call is None:
            yield f"step {number} ({step.do!r}) has a body, but calls nothing"


def find_scenario(name: str) -> Path:
    """Give the file that a name means: one that is there, or one that was shipped.

    Raises:
        ScenarioError: it is neither.
    """
    given, shipped = Path(name), SHIPPED / f"{name}.yaml"
    found = next((path for path in (given, shipped) if path.is_file()), None)
    if found is None:
        names = ", ".join(path.stem for path in shipped_scenarios())
        raise ScenarioError(f"{name} is no file, and none of the scenarios shipped: {names}.")
    return found


def shipped_scenarios() -> list[Path]:
    """Give the scenarios that come with the server, by name."""
    return sorted(SHIPPED.glob("*.yaml"))
