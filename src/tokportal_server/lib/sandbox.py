"""Run a decoder over a stranger's bytes in a child process that cannot outgrow its limits.

A decoder may be asked for gigabytes, may loop, or may crash. Here it does so in a process of its
own with limits on memory, processor time, wall time, open files, file size and output, an empty
environment and no standard input; the caller's process only ever holds the child's short answer.

As many children run at once as the machine has cores; the rest wait, and their wall time starts
when they do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Literal
from weakref import WeakKeyDictionary

from tokportal_server.lib import sandbox_child

Reason = Literal["memory", "cpu", "time", "crash", "output"]

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_STDERR_KEPT = 4096
_READ_BYTES = 65536
# One malloc arena, because each further one reserves address space that RLIMIT_AS counts.
_ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class SandboxKilledError(Exception):
    """The child did not survive its input: it met a limit or crashed.

    ``reason`` is ``memory``, ``cpu``, ``time``, ``output`` (it said more than allowed) or
    ``crash`` (ended by any other signal).
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the sandboxed process was ended: {reason}")
        self.reason: Reason = reason


class SandboxFailedError(Exception):
    """The child's own code failed (an uncaught exception): a fault of ours, not of the input."""

    def __init__(self, module: str, exit_code: int, stderr: str) -> None:
        super().__init__(f"{module} ended with status {exit_code}: {stderr}")
        self.exit_code = exit_code


async def run_limited(
    module: str,
    args: Sequence[str],
    *,
    cpu_seconds: int,
    wall_seconds: float,
    memory_bytes: int,
    max_output: int = 1 << 20,
    max_file_bytes: int = 256 << 20,
) -> bytes:
    """Run ``python -m module args`` under limits and give what it wrote to standard output.

    ``memory_bytes`` is address space, the interpreter and its libraries included (about 150 MB
    with FFmpeg loaded). Whatever happens, cancellation included, the child and everything it
    started in its process group are gone when this returns or raises.

    Raises SandboxKilledError when a limit was met or the child crashed, and SandboxFailedError
    when the module itself failed.
    """
    limits = {
        "root": str(_PACKAGE_ROOT),
        "cpu_seconds": cpu_seconds,
        "wall_seconds": wall_seconds,
        "memory_bytes": memory_bytes,
        "max_file_bytes": max_file_bytes,
    }
    command = [sys.executable, "-I", sandbox_child.__file__, json.dumps(limits), module, *args]
    async with _slot(), _pipe() as (out, answer), _pipe() as (err, complaints):
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        try:
            # While these ends are open here, the readers would never see the child's end.
            out.close()
            err.close()
            async with asyncio.timeout(wall_seconds):
                stdout, stderr, status = await asyncio.gather(
                    _read_all(answer, max_output), _read_tail(complaints), process.wait()
                )
        except TimeoutError:
            raise SandboxKilledError("time") from None
        finally:
            await _end(process)
    return _verdict(module, status, stdout, stderr)


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[BinaryIO, asyncio.StreamReader]]:
    """Give the writing end of a pipe and a reader of the other; both are closed at the end.

    asyncio's own pipes make ``wait`` wait until they are read to the end, which never happens
    once nobody reads a full one, or while a stray grandchild keeps one open.
    """
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    with os.fdopen(write_end, "wb", 0) as writing:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
        )
        try:
            yield writing, reader
        finally:
            transport.close()


def _slot() -> asyncio.Semaphore:
    """Give this event loop's limit on children at work (a semaphore belongs to one loop)."""
    loop = asyncio.get_running_loop()
    return _slots.setdefault(loop, asyncio.Semaphore(max(2, os.cpu_count() or 1)))


async def _read_all(stream: asyncio.StreamReader, limit: int) -> bytes:
    kept = bytearray()
    while chunk := await stream.read(_READ_BYTES):
        kept += chunk
        if len(kept) > limit:
            raise SandboxKilledError("output")
    return bytes(kept)


async def _read_tail(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while chunk := await stream.read(_READ_BYTES):
        kept = (kept + chunk)[-_STDERR_KEPT:]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the child's process group unless the child was reaped already, and reap it."""
    if process.returncode is None:
        # Until it is reaped its id cannot be another's, so the group is certainly ours.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _verdict(module: str, status: int, stdout: bytes, stderr: bytes) -> bytes:
    if status == 0:
        return stdout
    if status > 0:
        if status == sandbox_child.OUT_OF_MEMORY:
            raise SandboxKilledError("memory")
        raise SandboxFailedError(module, status, stderr.decode(errors="replace"))
    raise SandboxKilledError(_REASON_OF_SIGNAL.get(-status, "crash"))


_REASON_OF_SIGNAL: dict[int, Reason] = {
    signal.SIGXCPU: "cpu",
    signal.SIGALRM: "time",
    # We kill only before the answer is complete, so this one came from the kernel's memory killer.
    signal.SIGKILL: "memory",
}
