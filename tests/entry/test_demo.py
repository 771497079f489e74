"""``tokportal-server demo``, as scripts and people run it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.entry.installation import Installation, installed, postgres_runs, request
from tests.lib.waiting import SAFETY_NET

Events = list[dict[str, Any]]

STEPS = [
    "me",
    "credits.balance",
    "webhooks.create",
    "bundles.create",
    "uploads.video_direct",
    "bundles.configure_account",
    "bundles.configure_video 1",
    "bundles.configure_video 2",
    "bundles.readiness",
    "bundles.publish",
    "the manager sets up",
    "bundles.finalize_account",
    "the manager posts",
    "bundles.get",
    "accounts.get",
    "credits.history",
    "webhooks received",
    "rehearse a-careless-manager",
    "rehearse given-back",
]
WITHOUT_THE_CLIENT = """
import sys
sys.modules["tokportal"] = None
from tokportal_server.entry.main import main
main()
"""


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with installed(TOKPORTAL_PORT="0", TOKPORTAL_LOG_LEVEL="warning") as made:
        yield made


def demo(installation: Installation, **settings: str) -> tuple[int, Events]:
    ended = installation.run("demo", "--json", "--exit", **settings)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture(scope="module")
def first(installation: Installation) -> tuple[int, Events]:
    """The first run on a fresh home."""
    return demo(installation)


def test_says_first_how_to_reach_the_server(first: tuple[int, Events]) -> None:
    ready = first[1][0]
    assert ready["event"] == "ready"
    assert ready["base_url"].endswith("/api/ext")
    assert ready["api_key"].startswith("sk_")
    assert ready["console_url"].startswith("http://127.0.0.1:")
    assert {"email", "password"} <= ready["logins"]["alice"].keys()


def test_takes_every_step_of_the_walk(first: tuple[int, Events]) -> None:
    steps = [event for event in first[1] if event["event"] == "step"]
    assert [step["name"] for step in steps if step["ok"]] == STEPS


def test_ends_with_zero_when_every_step_succeeded(first: tuple[int, Events]) -> None:
    code, events = first
    assert (code, events[-1]["event"], events[-1]["ok"]) == (0, "walk_finished", True)
    assert events[-1]["events_verified"] == 16


@pytest.mark.usefixtures("first")
def test_leaves_no_process_behind(installation: Installation) -> None:
    assert installation.leftovers() == []
    assert not postgres_runs(installation.home / "demo")


@pytest.mark.usefixtures("first")
def test_a_failing_step_on_a_used_home_is_named_and_ends_with_one(
    installation: Installation,
) -> None:
    code, events = demo(installation, TOKPORTAL_VIDEO_MAX_BYTES="10")
    assert code == 1
    assert events[-1]["event"] == "walk_finished"
    assert events[-1]["ok"] is False
    assert events[-1]["failed_step"] == "uploads.video_direct"
    assert events[-2]["ok"] is False
    assert events[-2]["error"].startswith("TokPortalApiError: ")
    assert installation.leftovers() == []


@pytest.mark.usefixtures("first")
def test_walks_again_on_another_port_and_stays_up_until_told_to_stop(
    installation: Installation,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        program = installation.start("demo", "--json", TOKPORTAL_PORT=str(taken))
        events = program.events()
        ready = next(events)
        assert str(taken) not in ready["base_url"]
        finished = next(event for event in events if event["event"] == "walk_finished")
        assert finished["ok"] is True
        assert request(f"{ready['base_url']}/countries").status == 200
        assert program.stop() == 0
    assert installation.leftovers() == []
    assert not postgres_runs(installation.home / "demo")


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_before_it_is_ready_it_leaves_nothing_running(
    installation: Installation, number: signal.Signals
) -> None:
    program = installation.start("demo", "--json")
    while not postgres_runs(installation.home / "demo"):
        assert program.process.poll() is None
    program.process.send_signal(number)
    assert program.wait() != 0
    assert program.line() == ""
    assert installation.leftovers() == []
    assert not postgres_runs(installation.home / "demo")


def test_without_the_demo_extra_it_says_what_to_install(installation: Installation) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_CLIENT, "demo", "--json", "--exit"],
        env=installation.environment(),
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
        check=False,
    )
    assert ended.returncode == 2
    assert "tokportal-server[demo]" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
