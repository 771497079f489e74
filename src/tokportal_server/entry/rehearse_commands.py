"""``tokportal-server rehearse``: play scenarios, and say whether all came out as they should."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from tokportal_server.entry.operator_options import show
from tokportal_server.entry.rehearsing.junit import as_junit
from tokportal_server.entry.rehearsing.playing import Outcome, Player
from tokportal_server.entry.rehearsing.scenario import (
    Scenario,
    ScenarioError,
    find_scenario,
    read_scenario,
    shipped_scenarios,
)
from tokportal_server.entry.rehearsing.server import Rehearsal, RehearsalError, RehearsalServer

KEY_VARIABLE = "TOKPORTAL_API_KEY"

console = Console()
rehearse = App(name="rehearse", help="Play scenarios: whole orders in seconds, with expectations.")


@rehearse.default
def play(
    *scenarios: str,
    junit: Path | None = None,
    base_url: Annotated[str | None, Parameter(env_var="TOKPORTAL_BASE_URL")] = None,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
) -> int:
    """Play scenarios, each in a rehearsal of its own; exit 1 if a step did not come out right.

    Without --base-url a server is started for it, with a database that is gone afterwards.

    Parameters
    ----------
    scenarios
        Files in YAML, or names of those that come with the server; all of these if none is given.
    junit
        Where to write the outcome as JUnit XML.
    base_url
        A running server's base URL, ending in /api/ext; the key of a rehearsal there is read from
        TOKPORTAL_API_KEY. All scenarios then share its workspace.
    list_
        Only list the scenarios that come with the server.
    """
    try:
        if list_:
            listed = [(path.stem, read_scenario(path).name) for path in shipped_scenarios()]
            show(("scenario", "what it shows"), listed)
            return 0
        paths = [find_scenario(name) for name in scenarios] or shipped_scenarios()
        read = [read_scenario(path) for path in paths]
        played = _play_all(read, base_url)
    except (ScenarioError, RehearsalError) as error:
        console.print(str(error), markup=False, highlight=False)
        return 2
    if junit is not None:
        junit.write_bytes(as_junit(played))
    return 1 if any(one.failure for outcomes in played.values() for one in outcomes) else 0


def _play_all(scenarios: list[Scenario], base_url: str | None) -> dict[str, list[Outcome]]:
    played = {}
    with _stage(base_url) as stage:
        for scenario in scenarios:
            rehearsal = (
                stage
                if isinstance(stage, Rehearsal)
                else stage.rehearsal(scenario.name, credits_=scenario.credits)
            )
            console.print(f"[bold]{scenario.name}")
            played[scenario.name] = Player(rehearsal).play(scenario)
            for outcome in played[scenario.name]:
                _tell(outcome)
    return played


@contextmanager
def _stage(base_url: str | None) -> Iterator[RehearsalServer | Rehearsal]:
    if base_url is None:
        with RehearsalServer() as server:
            yield server
        return
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise RehearsalError(f"Set {KEY_VARIABLE} to a key of a rehearsal on {base_url}.")
    yield Rehearsal(base_url.rstrip("/"), key)


def _tell(outcome: Outcome) -> None:
    mark = "[green]ok[/green]  " if outcome.failure is None else "[red]FAIL[/red]"
    console.print(f"  {mark} ", end="")
    console.print(f"{outcome.step.do} ({outcome.seconds:.1f} s)", markup=False, highlight=False)
    if outcome.failure is not None:
        console.print(f"       {outcome.failure}", markup=False, highlight=False, soft_wrap=True)
