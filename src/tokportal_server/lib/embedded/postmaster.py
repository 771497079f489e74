"""The server's processes: finding ours among all, starting one, ending them.

A process is ours by what it shows of itself: the postmaster by its program and ``-D`` argument,
its children by the cluster's name in their titles. Its working directory would say more, but in a
container root is not allowed to read that of another account's process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tokportal_server.lib.embedded.error import EmbeddedPostgresError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tokportal_server.lib.embedded.account import Account
    from tokportal_server.lib.embedded.binaries import Binaries
    from tokportal_server.lib.embedded.directories import Layout

LOCK_SECONDS = 300.0
_STRAY_SECONDS = 10.0
_QUIT_SECONDS = 3.0
_LOG_LINES = 12

# Our own children, kept so that they can be reaped when they end.
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class PidFile:
    """The lines of ``postmaster.pid`` that matter here; the later ones come as it starts."""

    pid: int
    socket_dir: Path | None
    ready: bool

    @classmethod
    def read(cls, data_dir: Path) -> PidFile | None:
        """Read it; nothing if there is none, or a crash left it empty or cut."""
        try:
            lines = (data_dir / "postmaster.pid").read_text().splitlines()
            return cls(
                pid=int(lines[0]),
                socket_dir=Path(lines[4]) if len(lines) > 4 else None,
                ready=lines[-1].strip() == "ready",
            )
        except (FileNotFoundError, IndexError, ValueError):
            return None


def cluster_name(data_dir: Path) -> str:
    """Give the name that the children of this data directory's server show in their titles."""
    return "tokportal-" + hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]


def family(data_dir: Path, account: Account) -> dict[int, psutil.Process]:
    """Give the living processes of this data directory's server, by pid."""
    _reap()
    return {
        process.pid: process
        for process in psutil.process_iter()
        if _belongs(process, data_dir, account)
    }


def member(pid: int, data_dir: Path, account: Account) -> psutil.Process | None:
    """Give one process if it lives and is of this data directory's server."""
    _reap()
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if _belongs(process, data_dir, account) else None


def _belongs(process: psutil.Process, data_dir: Path, account: Account) -> bool:
    try:
        if process.uids().effective != account.uid:
            return False
        command = process.cmdline()
    except psutil.Error:  # ended meanwhile, or not for us to see
        return False
    is_child = " ".join(command).startswith(f"postgres: {cluster_name(data_dir)}: ")
    return is_child or (_is_postgres(command) and command[1:3] == ["-D", str(data_dir)])


def _is_postgres(command: list[str]) -> bool:
    return bool(command) and Path(command[0]).name == "postgres"


def _reap() -> None:
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is not None:
            _CHILDREN.pop(pid, None)  # another thread may have been as quick


def launch(
    layout: Layout, binaries: Binaries, account: Account, settings: Mapping[str, str]
) -> int:
    """Start a postmaster and give its pid; it is not ready yet.

    It inherits the locked ``server_lock``, as do its children: the lock is free again when the
    last of them is gone, even where their pids cannot be seen (another container).

    ``EmbeddedPostgresError``: processes that cannot be seen from here use the data directory.
    ``OSError``: the program cannot be run.
    """
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with (
        locked(
            layout.server_lock,
            _STRAY_SECONDS,
            f"A server that cannot be seen from here uses {layout.data}; perhaps it runs in "
            "another container. Stop it, or set TOKPORTAL_HOME to another directory.",
        ) as lock,
        os.fdopen(os.open(layout.startup_log, flags, 0o600), "wb") as log,
    ):
        _forget_dead_server(layout.data)
        child = subprocess.Popen(  # noqa: S603 - no shell, and the arguments are ours
            [binaries.program("postgres"), "-D", layout.data, *options],
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,  # a terminal's Ctrl-C is for us; we stop it in order
            **account.process_options(),
        )
    _CHILDREN[child.pid] = child
    return child.pid


def _forget_dead_server(data_dir: Path) -> None:
    """Remove lock files that PostgreSQL would misread; none of the server's processes lives.

    It copes with a dead pid itself (and then checks shared memory, which we want), but takes any
    living process with that pid for a server, and an empty file for one that is starting.
    """
    pid_file = PidFile.read(data_dir)
    if pid_file is not None and not psutil.pid_exists(pid_file.pid):
        return
    (data_dir / "postmaster.pid").unlink(missing_ok=True)


def remove_socket(socket_dir: Path, port: int) -> None:
    """Remove a dead server's socket and its lock, which names a pid that may live again."""
    for name in (f".s.PGSQL.{port}", f".s.PGSQL.{port}.lock"):
        (socket_dir / name).unlink(missing_ok=True)


def end(data_dir: Path, account: Account) -> None:
    """End every process of the server; the data is recovered at the next start.

    ``EmbeddedPostgresError``: some survive SIGKILL (they hang in the kernel).
    """
    for number, seconds in (
        (signal.SIGQUIT, _QUIT_SECONDS),
        (signal.SIGKILL, _STRAY_SECONDS),
    ):
        for process in family(data_dir, account).values():
            send(process, number)
        if wait_until_gone(data_dir, account, seconds):
            return
    raise EmbeddedPostgresError(
        f"Processes {sorted(family(data_dir, account))} use {data_dir} and cannot be killed. "
        "Their disk may be hanging; look at it, then start again."
    )


def wait_until_gone(data_dir: Path, account: Account, seconds: float) -> bool:
    """Wait until no process of the server lives; tell whether that came true in time."""
    deadline = time.monotonic() + seconds
    while family(data_dir, account):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Signal a process, unless it is gone or its pid is another's by now."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def log_tail(layout: Layout) -> str:
    """Give the last lines that the server wrote, for a refusal."""
    logs = sorted((layout.data / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
    lines = [
        line
        for path in (layout.startup_log, *logs[-1:])
        if path.exists()
        for line in path.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    ]
    return "\n".join(lines)


@contextmanager
def locked(path: Path, seconds: float, refusal: str) -> Iterator[int]:
    """Hold an exclusive lock of a file and give its descriptor.

    ``EmbeddedPostgresError``: with ``refusal``, when others held it for all the seconds.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not _try_lock(handle):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(refusal)
            time.sleep(0.05)
        yield handle
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
