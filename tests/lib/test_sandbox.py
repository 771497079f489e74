"""A child process that cannot outgrow its limits, whatever the module in it does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lib.memory import PeakMemory
from tokportal_server.lib import sandbox
from tokportal_server.lib.sandbox import SandboxFailedError, SandboxKilledError, run_limited

MIB = 1 << 20
Run = Callable[..., Awaitable[bytes]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs source text as the child's module."""
    # Children find their modules in the package's folder; here they find the test's.
    monkeypatch.setattr(sandbox, "_PACKAGE_ROOT", tmp_path)

    async def run_source(source: str, *args: str, **limits: Any) -> bytes:
        module = tmp_path / "child_of_test.py"
        if not module.exists():
            module.write_text(source, encoding="utf-8")
        bounds = {"cpu_seconds": 20, "wall_seconds": 30.0, "memory_bytes": 512 * MIB} | limits
        return await run_limited("child_of_test", args, **bounds)

    return run_source


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_gives_what_the_module_printed(run: Run) -> None:
    answer = await run("import sys, json; print(json.dumps(sys.argv[1:]))", "a b", "--c")
    assert json.loads(answer) == ["a b", "--c"]


@pytest.mark.hazard(37)
async def test_ends_a_child_that_takes_too_much_memory(run: Run) -> None:
    with PeakMemory() as memory, pytest.raises(SandboxKilledError) as death:
        await run("held = bytearray(2 << 30)")
    assert death.value.reason == "memory"
    assert memory.growth < 50 * MIB


@pytest.mark.hazard(37)
async def test_ends_a_child_that_computes_for_too_long(run: Run) -> None:
    with pytest.raises(SandboxKilledError) as death:
        await run("while True: pass", cpu_seconds=1)
    assert death.value.reason == "cpu"


async def test_ends_a_child_that_waits_for_too_long(run: Run) -> None:
    with pytest.raises(SandboxKilledError) as death:
        await run("import time; time.sleep(600)", wall_seconds=0.5)
    assert death.value.reason == "time"


async def test_ends_a_child_that_says_too_much(run: Run) -> None:
    with PeakMemory() as memory, pytest.raises(SandboxKilledError) as death:
        await run("while True: print('x' * 65536)", max_output=100_000)
    assert death.value.reason == "output"
    assert memory.growth < 50 * MIB


async def test_a_flood_of_complaints_neither_blocks_nor_fills_memory(run: Run) -> None:
    with PeakMemory() as memory:
        answer = await run("import sys\nfor _ in range(1000): sys.stderr.write('x' * 65536)")
    assert answer == b""
    assert memory.growth < 50 * MIB


@pytest.mark.parametrize("max_output", [0, 1, 1000, 100_000, 200_000, 300_000, 1_000_000])
async def test_ends_a_child_whose_pipes_are_full(run: Run, max_output: int) -> None:
    """Nobody reads the pipes any more when the child is killed; that must not matter."""
    flood = "import os\nwhile True: os.write(1, b'x' * 1000000); os.write(2, b'x' * 1000000)"
    async with asyncio.timeout(60):
        with pytest.raises(SandboxKilledError) as death:
            await run(flood, max_output=max_output)
    assert death.value.reason == "output"


async def test_a_stray_grandchild_that_keeps_the_pipes_holds_nobody_up(
    run: Run, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    source = (
        "import os, pathlib, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    try:
        async with asyncio.timeout(60):
            with pytest.raises(SandboxKilledError):
                await run(source, str(note), wall_seconds=3.0)
    finally:
        os.kill(int(note.read_text(encoding="ascii")), signal.SIGKILL)


async def test_a_crash_is_the_inputs_fault(run: Run) -> None:
    with pytest.raises(SandboxKilledError) as death:
        await run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert death.value.reason == "crash"


async def test_an_uncaught_exception_is_our_fault_and_says_where(run: Run) -> None:
    with pytest.raises(SandboxFailedError, match="ZeroDivisionError") as failure:
        await run("1 / 0")
    assert failure.value.exit_code == 1


async def test_a_module_that_is_not_there_is_our_fault(run: Run) -> None:
    del run
    with pytest.raises(SandboxFailedError, match="no_such_module"):
        await run_limited(
            "no_such_module", [], cpu_seconds=5, wall_seconds=20.0, memory_bytes=512 * MIB
        )


async def test_the_time_limit_ends_the_childs_own_children_too(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    source = (
        "import os, pathlib, sys, time\n"
        "pid = os.fork()\n"
        "if pid: pathlib.Path(sys.argv[1]).write_text(str(pid))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(SandboxKilledError):
        await run(source, str(note), wall_seconds=3.0)
    assert note.exists()
    async with asyncio.timeout(20):
        # An orphan is reaped by the first process, in its own time.
        while not _ended(note):  # noqa: ASYNC110 - no event tells of a stranger's end
            await asyncio.sleep(0.01)


def _ended(note: Path) -> bool:
    try:
        pid = note.read_text(encoding="ascii")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state.rsplit(")", 1)[1].split()[0] == "Z"


async def test_a_cancelled_caller_leaves_no_child(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = (
        "import os, sys, time\n"
        "with open(sys.argv[1], 'w') as pipe: pipe.write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    task = asyncio.ensure_future(run(source, str(pipe)))
    pid = int(await asyncio.to_thread(pipe.read_text, encoding="ascii"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(pid)


async def test_a_child_whose_parent_was_killed_ends_by_itself(run: Run) -> None:
    answer = await run("import signal; print(signal.getitimer(signal.ITIMER_REAL)[0])")
    assert 0 < float(answer) <= 31
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


async def test_the_child_has_no_environment_input_or_core_file(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKPORTAL_VAULT_KEY", "secret")
    answer = await run(
        "import json, os, resource as r, sys\n"
        "print(json.dumps([sys.stdin.read(), dict(os.environ), os.getcwd(), sys.flags.isolated,\n"
        "  os.getsid(0) == os.getpid(), r.getrlimit(r.RLIMIT_CORE), len(os.listdir('/dev/fd'))]))"
    )
    stdin, environment, folder, isolated, own_session, core, files = json.loads(answer)
    assert (stdin, folder, isolated, own_session, core) == ("", "/", 1, True, [0, 0])
    assert "TOKPORTAL_VAULT_KEY" not in environment
    assert "PATH" not in environment
    assert files == 4  # input, output, complaints, and the listing itself


async def test_the_child_cannot_write_a_huge_file(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "huge"
    with pytest.raises(SandboxFailedError, match="File too large"):
        await run(
            "import sys; open(sys.argv[1], 'wb').write(bytes(2 << 20))",
            str(target),
            max_file_bytes=MIB,
        )
    assert target.stat().st_size <= MIB


async def test_no_more_children_run_at_once_than_the_machine_has_cores(
    run: Run, tmp_path: Path
) -> None:
    # Each child notes how many are at work while it is; the notes are files of one folder.
    at_work = tmp_path / "at_work"
    at_work.mkdir()
    source = (
        "import os, pathlib, sys, time\n"
        "folder = pathlib.Path(sys.argv[1]); own = folder / str(os.getpid()); own.touch()\n"
        "time.sleep(0.05); print(len(list(folder.iterdir()))); own.unlink()\n"
    )
    crowd = max(2, os.cpu_count() or 1) * 3
    counts = await asyncio.gather(*(run(source, str(at_work)) for _ in range(crowd)))
    assert 1 <= max(map(int, counts)) <= max(2, os.cpu_count() or 1)


async def test_others_are_served_while_a_child_is_killed(run: Run) -> None:
    task = asyncio.ensure_future(run("while True: pass", cpu_seconds=2))
    turns, started = 0, time.monotonic()
    while not task.done():
        await asyncio.sleep(0.01)
        turns += 1
    with pytest.raises(SandboxKilledError):
        await task
    # A loop that the child blocked would have turned once or twice.
    assert turns > (time.monotonic() - started) / 0.01 / 10
