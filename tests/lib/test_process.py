"""The supervisor runs in a process of its own here, as it does in production."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tokportal_server.lib.process import ChildSpec, Supervisor

SAFETY_NET = 30.0

# Each child writes "<its name> <its pid> <why>" to the shared pipe, so tests can await the line:
# in one write, because lines of two children would mix otherwise.
PATIENT = r"""
import os, signal, sys
def leave(number, frame):
    os.write(1, b"patient %d %s\n" % (os.getpid(), signal.Signals(number).name.encode()))
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, leave)
os.write(1, b"patient %d started\n" % os.getpid())
while True:
    signal.pause()
"""
STUBBORN = r"""
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"stubborn %d started\n" % os.getpid())
while True:
    signal.pause()
"""
BRIEF = r"""
import asyncio
import os
os.write(1, b"brief %d started\n" % os.getpid())
"""
SUPERVISE = """
import asyncio, sys
import structlog
from tokportal_server.lib.process import ChildSpec, Supervisor
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
specs = [ChildSpec(f"child-{i}", [sys.executable, "-c", code])
         for i, code in enumerate(sys.argv[2:])]
sys.exit(asyncio.run(Supervisor(specs, grace=float(sys.argv[1])).run()))
"""
# A parent that starts one child and then only waits; the child asks to die with it.
PARENT = """
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1]])
signal.pause()
"""
LOYAL = r"""
import os, signal
from tokportal_server.lib.process import die_with_parent
die_with_parent(signal.SIGKILL)
os.write(1, b"loyal %d started\n" % os.getpid())
while True:
    signal.pause()
"""
ORPHAN = r"""
import os, signal
from tokportal_server.lib.process import die_with_parent
die_with_parent(signal.SIGTERM, parent=2**22)
os.write(1, b"orphan %d goes on\n" % os.getpid())
"""


class Rig:
    """Starts Python programs whose output is one pipe, and ends what is left of them."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []
        self._pids: list[int] = []

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
        )
        self._started.append(process)
        return process

    def line(self, process: subprocess.Popen[str]) -> tuple[str, int, str]:
        """Give the next line's name, pid and reason."""
        assert process.stdout is not None
        name, pid, reason = process.stdout.readline().split(maxsplit=2)
        self._pids.append(int(pid))
        return name, int(pid), reason.strip()

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        for pid in self._pids:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_passes_the_stop_signal_on_and_ends_with_zero(rig: Rig, number: signal.Signals) -> None:
    supervisor = rig.start(SUPERVISE, "20", PATIENT, PATIENT)
    pids = {rig.line(supervisor)[1] for _ in range(2)}
    supervisor.send_signal(number)
    farewells = [rig.line(supervisor) for _ in range(2)]
    assert supervisor.wait(SAFETY_NET) == 0
    assert {pid for _, pid, _ in farewells} == pids
    assert {reason for _, _, reason in farewells} == {number.name}


def test_restarts_a_child_that_was_killed_and_leaves_the_other_alone(rig: Rig) -> None:
    supervisor = rig.start(SUPERVISE, "20", PATIENT, PATIENT)
    killed, untouched = (rig.line(supervisor)[1] for _ in range(2))
    os.kill(killed, signal.SIGKILL)
    _, successor, reason = rig.line(supervisor)
    assert reason == "started"
    assert successor not in {killed, untouched}
    assert psutil.pid_exists(untouched)
    supervisor.terminate()
    assert {rig.line(supervisor)[1] for _ in range(2)} == {successor, untouched}
    assert supervisor.wait(SAFETY_NET) == 0


def test_restarts_a_child_that_ended_well_again_and_again(rig: Rig) -> None:
    supervisor = rig.start(SUPERVISE, "20", BRIEF)
    pids = {rig.line(supervisor)[1] for _ in range(3)}
    assert len(pids) == 3
    supervisor.terminate()  # while it waits to restart
    assert supervisor.wait(SAFETY_NET) == 0


def test_kills_what_still_runs_after_the_grace_time_and_says_so(rig: Rig) -> None:
    supervisor = rig.start(SUPERVISE, "0.2", STUBBORN)
    _, stubborn, _ = rig.line(supervisor)
    supervisor.terminate()
    assert supervisor.wait(SAFETY_NET) == 1
    assert not psutil.pid_exists(stubborn)


async def test_gives_a_child_the_environment_of_its_spec(tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    os.mkfifo(answer)
    code = f"import os; open({str(answer)!r}, 'w').write(os.environ['WHO'])"
    supervisor = Supervisor([ChildSpec("one", [sys.executable, "-c", code], {"WHO": "Alice"})])
    run = asyncio.create_task(supervisor.run())
    assert await asyncio.to_thread(answer.read_text) == "Alice"
    supervisor.stop()
    assert await run == 0


async def test_refuses_a_program_that_does_not_exist_at_once() -> None:
    missing = Supervisor([ChildSpec("one", ["/nonexistent/program"])])
    with pytest.raises(ExceptionGroup) as raised:
        await missing.run()
    assert raised.group_contains(FileNotFoundError, match="/nonexistent/program")


def test_a_child_dies_with_its_killed_parent(rig: Rig) -> None:
    parent = rig.start(PARENT, LOYAL)
    _, child, _ = rig.line(parent)
    process = psutil.Process(child)
    parent.kill()
    gone, _ = psutil.wait_procs([process], timeout=SAFETY_NET)
    assert gone == [process]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent death signal")
def test_a_child_whose_parent_is_gone_already_ends_at_once(rig: Rig) -> None:
    orphan = rig.start(ORPHAN)
    assert orphan.wait(SAFETY_NET) == -signal.SIGTERM
