"""Rehearsals for programs: the server, the pytest fixture, scenarios."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from xml.etree import ElementTree as ET

import psutil
import pytest

from tokportal_server.entry.rehearse_commands import play
from tokportal_server.entry.rehearsing.playing import Player
from tokportal_server.entry.rehearsing.scenario import (
    ScenarioError,
    find_scenario,
    read_scenario,
    shipped_scenarios,
)
from tokportal_server.entry.rehearsing.server import RehearsalError, RehearsalServer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "pytest-project"
STEP = "name: x\nabout: y\nsteps:\n"
FAILING = """
name: Two expectations
about: The second is wrong.
credits: 7
steps:
  - do: Look at the credits
    call: GET /credits/balance
    expect: {status: 200, data.total_credits: 7}
    keep: {credits: data.total_credits}
  - do: Look again
    call: GET /credits/balance
    expect: {data.total_credits: 8}
  - do: Never taken
    call: GET /me
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RehearsalServer]:
    """One server for the tests of this module that need one."""
    with RehearsalServer() as running:
        yield running


def test_ten_scenarios_are_shipped() -> None:
    assert len(shipped_scenarios()) >= 10


@pytest.mark.parametrize("path", shipped_scenarios(), ids=lambda path: path.stem)
def test_every_shipped_scenario_comes_out_as_it_says(server: RehearsalServer, path: Path) -> None:
    scenario = read_scenario(path)
    rehearsal = server.rehearsal(scenario.name, credits_=scenario.credits)
    outcomes = Player(rehearsal).play(scenario)
    assert [outcome.failure for outcome in outcomes if outcome.failure] == []
    assert len(outcomes) == len(scenario.steps)


def test_workspaces_of_a_server_have_nothing_in_common(server: RehearsalServer) -> None:
    first, second = server.rehearsal("First", credits_=5), server.rehearsal("Second", credits_=0)
    first.clock.advance(hours=100)
    ahead = first.clock.now() - second.clock.now()
    assert ahead.total_seconds() > 99 * 3600
    assert second.call("GET", "/credits/balance").data["total_credits"] == 0
    assert first.call("GET", "/me").data["workspace"]["rehearsal"] is True
    with pytest.raises(RehearsalError, match="400"):
        first.scripts.weigh(lazy=1)
    with pytest.raises(RehearsalError, match="no workspace was made"):
        server.rehearsal("Third", credits_=-1)


def test_a_server_leaves_nothing_behind() -> None:
    before = set(Path(gettempdir()).glob("tokportal-rehearsal-*"))
    with RehearsalServer() as server:
        made = set(Path(gettempdir()).glob("tokportal-rehearsal-*")) - before
        assert server.rehearsal().call("GET", "/me").status == 200
        family = psutil.Process().children(recursive=True)
        mine = [one for one in family if any(str(path) in _words(one) for path in made)]
        assert made
    assert not [path for path in made if path.exists()]
    psutil.wait_procs(mine, timeout=20)
    assert [one for one in mine if one.is_running()] == []


def _words(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), process.environ().get("TOKPORTAL_HOME", "")])
    except psutil.Error:
        return ""


def test_the_example_project_passes_with_the_published_client(tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLE, tmp_path / "project")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 0


def test_a_step_that_comes_out_wrong_ends_the_scenario_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, report = tmp_path / "failing.yaml", tmp_path / "report.xml"
    file.write_text(FAILING)
    assert play(str(file), junit=report) == 1
    told = capsys.readouterr().out
    assert "data.total_credits is 7 instead of 8" in told
    [suite] = ET.fromstring(report.read_bytes())  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failures = [case.find("failure") for case in suite]
    assert [one is None for one in failures] == [True, False]


def test_a_running_server_needs_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TOKPORTAL_API_KEY", raising=False)
    assert play("too-few-credits", base_url="http://127.0.0.1:1/api/ext") == 2
    assert "TOKPORTAL_API_KEY" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- 1", "is no scenario"),
        (STEP + "  - {do: x}", "exactly one of call, upload, clock, events"),
        (STEP + "  - {do: x, call: GET /me, clock: 1}", "exactly one of"),
        (STEP + "  - {do: x, clock: 1, body: {}}", "has a body, but calls nothing"),
        (STEP + "  - {do: x, call: FETCH /me}", "is no scenario"),
        (STEP + "  - {do: x, cal: GET /me}", "cal"),
        ("name: [", "is no scenario"),
    ],
)
def test_what_is_no_scenario_is_refused_with_its_place(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=told) as refused:
        read_scenario(file)
    assert str(file) in str(refused.value)


def test_a_name_that_means_nothing_is_refused_with_those_that_do() -> None:
    with pytest.raises(ScenarioError, match="a-slow-manager"):
        find_scenario("a-lazy-manager")
