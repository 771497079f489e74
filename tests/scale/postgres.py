"""A PostgreSQL as others run it: over TCP, with a password, in a time zone that is not ours."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.conftest import free_port
from tests.lib.directories import passable_directory
from tests.lib.waiting import SAFETY_NET
from tokportal_server.lib.embedded import binaries
from tokportal_server.lib.embedded.account import Account, account_for

USER, PASSWORD = "tokportal", "a-password"
# Whoever forgets to say UTC is found out.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "timezone": "Asia/Tokyo",
    "fsync": "off",
    "synchronous_commit": "off",
}


@dataclass(frozen=True)
class External:
    """A server that listens on loopback, the account that it runs as, and where its files are."""

    port: int
    account: Account
    directory: Path

    def dsn(self, database: str) -> str:
        """Give the address of a database, as an operator would write it."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    async def make_database(self, name: str) -> str:
        """Make an empty database; give its address."""
        conn = await asyncpg.connect(self.dsn("postgres"))
        try:
            await conn.execute(f"CREATE DATABASE {name}")
        finally:
            await conn.close()
        return self.dsn(name)


@contextmanager
def external_postgres(major: int) -> Iterator[External]:
    """Start one of the wheel's versions on a free port; stop it at the end."""
    with passable_directory() as directory:
        account = account_for(directory / "data")
        programs = binaries.runnable(major, account, directory)
        external = External(free_port(), account, directory)
        data = _initialised(programs, external)
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs.program("postgres"), "-D", data, "-p", str(external.port), *options],
                stdout=log,
                stderr=log,
                **account.process_options(),
            )
        try:
            _until_it_answers(programs, external, process)
            yield external
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(SAFETY_NET)


def _initialised(programs: binaries.Binaries, external: External) -> Path:
    place = external.directory / "cluster"
    place.mkdir()
    (place / "password").write_text(PASSWORD)
    for path in (place, place / "password"):
        give(path, external.account)
    made = external.account.run(
        [
            *(programs.program("initdb"), "--pgdata", place / "data", "--username", USER),
            *("--pwfile", place / "password", "--auth=scram-sha-256", "--no-sync"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
        ]
    )
    assert made.returncode == 0, made.stderr
    return place / "data"


def give(path: Path, account: Account) -> None:
    """Let the account own a file or directory of ours."""
    if not account.is_ourselves:
        os.chown(path, account.uid, account.gid)


def _until_it_answers(
    programs: binaries.Binaries, external: External, process: subprocess.Popen[bytes]
) -> None:
    deadline = time.monotonic() + SAFETY_NET
    ask: list[str | Path] = [
        programs.program("pg_isready"),
        "-h",
        "127.0.0.1",
        "-p",
        str(external.port),
    ]
    while external.account.run(ask).returncode != 0:
        log = (external.directory / "log").read_text()
        assert process.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
