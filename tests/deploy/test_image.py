"""The image's recipe, read: no engine is needed for what could be wrong with it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

from tests.conftest import free_port
from tests.house.repository import ROOT
from tokportal_server.entry.commands import app
from tokportal_server.lib.settings import Settings

RECIPE = ROOT / "deploy" / "Dockerfile"
SECRET = re.compile(r"KEY|SECRET|PASSWORD|TOKEN", re.IGNORECASE)


def instructions() -> list[tuple[str, str]]:
    """Give each instruction with its words, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", RECIPE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def of(kind: str) -> list[str]:
    return [words for name, words in instructions() if name == kind]


def variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for words in of("ENV") for pair in shlex.split(words))


def copied() -> list[str]:
    """Give what comes from the repository."""
    return [
        source
        for words in of("COPY")
        if not words.startswith("--from")
        for source in words.split()[:-1]
    ]


def test_it_is_built_in_one_stage_and_runs_in_another_on_a_named_release() -> None:
    [base] = of("ARG")
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim-\w+", base)
    assert of("FROM") == ["${PYTHON} AS build", "${PYTHON}"]


def test_it_does_not_run_as_root() -> None:
    after = instructions()[[name for name, _ in instructions()].index("USER") :]
    [user] = [words for name, words in after if name == "USER"]
    assert all(int(number) > 0 for number in user.split(":"))
    assert "RUN" not in [name for name, _ in after]


def test_every_package_has_the_version_that_was_tested() -> None:
    [install] = [words for words in of("RUN") if "pip install" in words]
    assert "-c constraints.txt" in install
    assert "constraints.txt" in copied()


def test_no_secret_gets_into_a_layer() -> None:
    given = [*variables(), *(words.split("=")[0] for words in of("ARG"))]
    assert [name for name in given if SECRET.search(name)] == []
    assert of("ADD") == []
    ignored = RECIPE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    # Nothing gets in but what is named, and that is what is copied.
    assert next(line for line in ignored if line and line[0] != "#") == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied())


def test_everything_that_the_package_is_made_of_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = [*wheel["packages"], *wheel["force-include"], project["project"]["readme"]]
    wanted += project["project"]["license-files"]
    missing = [path for path in wanted if not any(_is_in(path, source) for source in copied())]
    assert missing == []
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def _is_in(path: str, source: str) -> bool:
    return path == source or path.startswith(f"{source}/")


def test_what_it_starts_and_sets_exists() -> None:
    [entry], [command] = of("ENTRYPOINT"), of("CMD")
    assert json.loads(entry) == ["tokportal-server"]
    _, _, unknown = app.parse_commands(json.loads(command)[:1])
    assert unknown == []
    assert Settings.from_env(variables()).host == "0.0.0.0"  # noqa: S104 - inside a container


async def test_its_health_check_tells_a_server_that_is_ready_from_none(server: str) -> None:
    assert await asyncio.to_thread(_health, server.rpartition(":")[2]) == 0
    assert await asyncio.to_thread(_health, str(free_port())) != 0


def _health(port: str) -> int:
    [check] = of("HEALTHCHECK")
    argv = json.loads(check.partition(" CMD ")[2])
    assert argv[0] == "python"
    return subprocess.run(
        [sys.executable, *argv[1:]],
        env={**os.environ, "TOKPORTAL_PORT": port},
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=False,
    ).returncode
