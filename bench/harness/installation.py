"""A whole installation, started as its commands are: supervisor, PostgreSQL, API, workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil

from harness.stage import free_port, processes_of_postgres
from tokportal_server.lib import embedded

PROGRAM: Final = [sys.executable, "-m", "tokportal_server.entry.main"]
# A first start makes the database; nothing else takes so long.
_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 120.0
_COMMAND_SECONDS: Final = 600.0


class Installation:
    """A home, its settings, and the commands that run there; logs are files in ``logs``."""

    def __init__(self, home: Path, logs: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.logs = logs
        self.port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TOKPORTAL_")}
        own = {"TOKPORTAL_HOME": str(home), "TOKPORTAL_PORT": str(self.port)}
        self._env = {**clean, **own, **settings}
        self.programs: dict[str, subprocess.Popen[str]] = {}

    @property
    def origin(self) -> str:
        """Its address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def dsn(self) -> str:
        """Give the address of its running database."""
        return embedded.start(self.home).dsn()

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run ``serve``, ready, until the block ends."""
        with self._running("serve", *arguments) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"serve ended: {(self.logs / 'serve.log').read_text()[-2000:]}"
            yield process

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[str]]:
        """Run another worker beside ``serve``, until the block ends."""
        with self._running("worker") as process:
            log = self.logs / "worker.log"
            deadline = time.monotonic() + _START_SECONDS
            while "worker_started" not in log.read_text():
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, "the worker does not start"
                time.sleep(0.05)
            yield process

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(  # noqa: S603 - our own program
            [*PROGRAM, *arguments],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    @contextmanager
    def _running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        name = arguments[0]
        with ExitStack() as stack:
            stderr = stack.enter_context((self.logs / f"{name}.log").open("wb"))
            process = stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own program
                    [*PROGRAM, *arguments],
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
            )
            self.programs[name] = process
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()

    def processes(self) -> dict[int, psutil.Process]:
        """Give everything that runs there now, PostgreSQL included."""
        found = self.postgres()
        for program in self.programs.values():
            if program.poll() is None:
                root = psutil.Process(program.pid)
                found |= {one.pid: one for one in (root, *root.children(recursive=True))}
        return found

    def postgres(self) -> dict[int, psutil.Process]:
        """Give the processes of its PostgreSQL."""
        return processes_of_postgres(self.home)


@contextmanager
def installed(**settings: str) -> Iterator[Installation]:
    """Make a home in a directory that PostgreSQL's account may pass through."""
    with tempfile.TemporaryDirectory(prefix="tokportal-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        logs = folder / "logs"
        logs.mkdir()
        yield Installation(folder / "home", logs, settings)
