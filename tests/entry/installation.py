"""One installation of the server, run as its commands are run: in processes of their own."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from tests.conftest import free_port
from tests.lib.directories import passable_directory
from tests.lib.processes import environment
from tests.lib.waiting import SAFETY_NET

PROGRAM = [sys.executable, "-m", "tokportal_server.entry.main"]


class Answer(NamedTuple):
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(url: str, method: str = "GET", *, body: bytes | None = None, **headers: str) -> Answer:
    """Ask the server; ``OSError`` or ``HTTPException`` if it is away or dies meanwhile."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=SAFETY_NET)
    try:
        connection.request(method, parts.path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class Program:
    """A running command; standard error goes to a file, ``address`` is that of ``serve``."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        self.address = ""
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    def line(self) -> str:
        """Give the next line of standard output; "" at its end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def events(self) -> Iterator[dict[str, Any]]:
        """Give the JSON objects of standard output as they come."""
        while line := self.line():
            yield json.loads(line)

    def logged(self) -> list[dict[str, Any]]:
        """Give the log so far, one object a line."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def tree(self) -> list[psutil.Process]:
        """Give the process and everything that it started, PostgreSQL included."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def parts(self) -> list[psutil.Process]:
        """Give the tree without PostgreSQL."""
        return [process for process in self.tree() if process.name() != "postgres"]

    def named(self, part: str) -> psutil.Process:
        """Give the supervisor's child that has ``part`` among its arguments, once it is there."""
        supervisor = psutil.Process(self.process.pid)
        deadline = time.monotonic() + SAFETY_NET
        while time.monotonic() < deadline:
            for child in supervisor.children():
                with suppress(psutil.Error):
                    if part in child.cmdline():
                        return child
            time.sleep(0.02)
        raise AssertionError(f"no {part}: {self.log.read_text()}")

    def workers_of_the_api(self) -> list[psutil.Process]:
        """Give Granian's worker processes."""
        return self.named("api").children()

    def stop(self) -> int:
        """Send SIGTERM and give the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; give the exit code."""
        return self.process.wait(SAFETY_NET)

    def close(self) -> None:
        """Kill what is left of it."""
        if self.process.poll() is None:
            kill(self.tree())
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def kill(processes: list[psutil.Process]) -> None:
    """``kill -9`` all of them at once, and wait until they are gone."""
    for process in processes:
        try:
            process.send_signal(signal.SIGSTOP)  # none may act on the death of another
        except psutil.NoSuchProcess:
            continue
    for process in processes:
        if process.is_running():
            process.kill()
    psutil.wait_procs(processes, timeout=SAFETY_NET)


class Installation:
    """A home with its settings."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self._settings = settings
        self._programs: list[Program] = []
        self._logs = Path(tempfile.mkdtemp(prefix="logs-", dir=home.parent))

    def environment(self, **settings: str) -> dict[str, str]:
        """Give the environment of a command."""
        return environment(**{"TOKPORTAL_HOME": str(self.home)} | self._settings | settings)

    def start(self, *arguments: str, **settings: str) -> Program:
        """Start a command."""
        log = self._logs / f"{len(self._programs)}.log"
        program = Program([*PROGRAM, *arguments], self.environment(**settings), log)
        self._programs.append(program)
        return program

    def serve(self, *arguments: str, **settings: str) -> Program:
        """Start ``serve`` and wait until it says that it is ready."""
        program = self.start("serve", *arguments, **settings)
        line = program.line()
        assert line, program.log.read_text()
        program.address = line.split()[-1].removesuffix("/api/ext")
        return program

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SAFETY_NET,
            check=False,
        )

    def leftovers(self) -> list[psutil.Process]:
        """Give the living processes that were started for this home, except PostgreSQL."""
        found = []
        for process in psutil.process_iter():
            try:
                home = process.environ().get("TOKPORTAL_HOME", "")
            except psutil.Error:
                continue
            if Path(home).is_relative_to(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def close(self) -> None:
        """Kill whatever a failed test has left."""
        for program in self._programs:
            program.close()
        kill(self.leftovers())


def postgres_runs(home: Path) -> bool:
    """Tell whether any process of the home's PostgreSQL lives: each of them holds this lock."""
    handle = os.open(home / "postgres" / "server.lock", os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def installed(**settings: str) -> Iterator[Installation]:
    """Make an installation in a directory that PostgreSQL's account may pass through."""
    with passable_directory() as directory:
        installation = Installation(directory / "home", **settings)
        try:
            yield installation
        finally:
            installation.close()


def installed_on(dsn: str, **settings: str) -> AbstractContextManager[Installation]:
    """Make an installation on a database that is there already, on a port of its own."""
    ours = {
        "TOKPORTAL_DATABASE_URL": dsn,
        "TOKPORTAL_PORT": str(free_port()),
        "TOKPORTAL_LOG_LEVEL": "error",
    }
    return installed(**ours | settings)
