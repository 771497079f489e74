"""The systemd units: systemd itself finds no fault, they are closed to all they do not need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.programs import program
from tests.entry.installation import installed
from tests.house.repository import ROOT
from tests.lib.waiting import SAFETY_NET
from tokportal_server.entry.commands import app
from tokportal_server.lib.settings import Settings

UNITS = ROOT / "deploy" / "systemd"
INSTALLED = "/opt/tokportal/bin/tokportal-server"
SERVICES = (
    "tokportal-all.service",
    "tokportal-api@8001.service",
    "tokportal-worker@1.service",
    "tokportal-backup.service",
)
# Out of 10; systemd calls what is below 2 well protected.
EXPOSURE = 2.0
# Memory that is written cannot become executable any more, in this process and all that it starts.
CLOSED = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for option, value in ((65, 1), (38, 1)):
    if libc.prctl(option, *(ctypes.c_ulong(n) for n in (value, 0, 0, 0))) != 0:
        sys.exit(f"prctl {option}: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the program where it is on this machine."""
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    here = Path(sys.executable).parent / "tokportal-server"
    for unit in folder.glob("*.service"):
        text = unit.read_text(encoding="utf-8")
        assert INSTALLED in text
        unit.write_text(text.replace(INSTALLED, str(here)), encoding="utf-8")
    return folder


def analyze(units: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("systemd-analyze", "systemd"), "--no-pager", *arguments],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_COLORS": "0"},
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
        check=False,
    )


@pytest.mark.parametrize("name", [*SERVICES, "tokportal-backup.timer"])
def test_systemd_finds_no_fault(units: Path, name: str) -> None:
    found = analyze(units, "verify", "--man=no", "--recursive-errors=no", str(units / name))
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_is_closed_to_what_it_does_not_need(units: Path, name: str) -> None:
    found = analyze(units, "security", "--offline=true", str(units / name))
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", found.stdout)
    assert exposure is not None, found.stdout + found.stderr
    assert float(exposure[1]) < EXPOSURE, found.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in UNITS.glob("*.service")))
def test_runs_a_command_that_exists(name: str) -> None:
    text = (UNITS / name).read_text(encoding="utf-8")
    command = re.findall(rf"^ExecStart={INSTALLED} (\S+)", text, re.MULTILINE)
    assert len(command) == 1
    _, _, unknown = app.parse_commands(command)
    assert unknown == []


def test_its_example_of_settings_is_accepted() -> None:
    text = (UNITS / "server.env.example").read_text(encoding="utf-8")
    # Also what stands there switched off; together they must not contradict each other.
    found = re.findall(r"^#?((?:TOKPORTAL|AWS)_\w+)=(.*)$", text, re.MULTILINE)
    settings = Settings.from_env(dict(found))
    assert settings.trusted_proxies == ("127.0.0.1",)
    assert settings.database_url is not None


@pytest.mark.proof
def test_everything_works_without_memory_that_is_both_written_and_run() -> None:
    with installed(TOKPORTAL_PORT="0") as installation:
        ended = subprocess.run(
            [
                *(sys.executable, "-c", CLOSED, sys.executable),
                *("-m", "tokportal_server.entry.main", "demo", "--exit"),
            ],
            env=installation.environment(),
            capture_output=True,
            text=True,
            timeout=4 * SAFETY_NET,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
