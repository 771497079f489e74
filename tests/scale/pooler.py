"""PgBouncer in transaction mode in front of a PostgreSQL."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import free_port
from tests.entry.installation import SAFETY_NET
from tests.house.repository import ROOT
from tests.scale.postgres import PASSWORD, USER, External, give

_EXAMPLE = ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini"
# So few that transactions of different callers must take turns on the same connection.
_CONNECTIONS = 4


def the_program() -> str:
    """Give where PgBouncer is; skips the test if it isn't there."""
    found = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("PgBouncer is not installed. On Debian: apt install pgbouncer")
    return found


@contextmanager
def pooled(external: External, database: str) -> Iterator[str]:
    """Run it with our example's settings; give the address of the database behind it."""
    place = external.directory / "pgbouncer"
    place.mkdir()
    port = free_port()
    users = place / "users.txt"
    users.write_text(f'"{USER}" "{PASSWORD}"\n')
    settings = place / "pgbouncer.ini"
    settings.write_text(_settings(external, database, port, str(users)))
    for path in (place, users, settings):
        give(path, external.account)
    with (external.directory / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [the_program(), settings], stdout=log, stderr=log, **external.account.process_options()
        )
    try:
        _until_it_listens(port, process)
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SAFETY_NET)


def _settings(external: External, database: str, port: int, users: str) -> str:
    """Give the example with what is different here."""
    text = _EXAMPLE.read_text(encoding="utf-8")
    for old, new in (
        (
            "tokportal = host=db.internal port=5432 dbname=tokportal",
            f"{database} = host=127.0.0.1 port={external.port} dbname={database}",
        ),
        ("listen_port = 6432", f"listen_port = {port}\nunix_socket_dir ="),
        ("/etc/pgbouncer/userlist.txt", users),
        ("default_pool_size = 40", f"default_pool_size = {_CONNECTIONS}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SAFETY_NET
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("PgBouncer does not listen")
