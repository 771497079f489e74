"""PgBouncer in transaction mode in front of a PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import free_port
from tests.deploy.programs import adapted, program
from tests.house.repository import ROOT
from tests.lib.waiting import SAFETY_NET, until_it_listens
from tests.scale.postgres import PASSWORD, USER, External, give

_EXAMPLE = ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini"
# So few that transactions of different callers must take turns on the same connection.
_CONNECTIONS = 4


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
    said = external.directory / "pgbouncer.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [program("pgbouncer"), settings],
            stdout=log,
            stderr=log,
            **external.account.process_options(),
        )
    try:
        until_it_listens(port, process, said)
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SAFETY_NET)


def _settings(external: External, database: str, port: int, users: str) -> str:
    """Give the example with what is different here."""
    return adapted(
        _EXAMPLE,
        (
            "tokportal = host=db.internal port=5432 dbname=tokportal",
            f"{database} = host=127.0.0.1 port={external.port} dbname={database}",
        ),
        ("listen_port = 6432", f"listen_port = {port}\nunix_socket_dir ="),
        ("/etc/pgbouncer/userlist.txt", users),
        ("default_pool_size = 40", f"default_pool_size = {_CONNECTIONS}"),
    )
