"""Starting the parts: database, migrations, API, worker.

The supervising process starts (or adopts) the embedded PostgreSQL, migrates, and keeps one API and
one worker process running; they are this module's own commands, given their settings by the
environment. A part that dies is started again; if the supervisor is killed, the kernel ends them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from tokportal_server.lib import embedded
from tokportal_server.lib.process import ChildSpec
from tokportal_server.lib.settings import Settings
from tokportal_server.migrations.run import migrate


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Give settings with a migrated database: the given one, or the embedded one while it runs."""
    if settings.database_url is not None:
        migrate(settings.database_direct_url or settings.database_url)
        yield settings
        return
    with embedded.start(settings.home) as postgres:
        dsn = postgres.dsn()
        migrate(dsn)
        yield msgspec.structs.replace(settings, database_url=dsn)


@contextmanager
def borrowed_database(settings: Settings) -> Iterator[Settings]:
    """Give the database for one command; an embedded one that was running before runs on."""
    if settings.database_url is not None:
        direct = settings.database_direct_url or settings.database_url
        yield msgspec.structs.replace(settings, database_url=direct)
        return
    postgres = embedded.start(settings.home)
    try:
        migrate(postgres.dsn())
        yield msgspec.structs.replace(settings, database_url=postgres.dsn())
    finally:
        if not postgres.adopted:
            postgres.stop()


def children(settings: Settings, *, workers: int, with_worker: bool) -> list[ChildSpec]:
    """Describe the processes to keep running."""
    env = environment(settings)
    command = [sys.executable, "-m", "tokportal_server.entry.main"]
    specs = [ChildSpec("api", [*command, "serve-api", "--workers", str(workers)], env)]
    if with_worker:
        specs.append(ChildSpec("worker", [*command, "worker"], env))
    return specs


def environment(settings: Settings) -> dict[str, str]:
    """Give this process's environment with what starting has decided: database, port, home."""
    decided = {
        "TOKPORTAL_HOME": str(settings.home),
        "TOKPORTAL_HOST": settings.host,
        "TOKPORTAL_PORT": str(settings.port),
        "TOKPORTAL_DATABASE_URL": settings.database_url or "",
        "TOKPORTAL_LOG_LEVEL": settings.log_level,
        "TOKPORTAL_LOG_FORMAT": settings.log_format,
        "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": str(settings.webhooks_allow_loopback).lower(),
        "TOKPORTAL_WEBHOOKS_ALLOWED_PORTS": ",".join(map(str, settings.webhooks_allowed_ports)),
    }
    return {**os.environ, **{name: value for name, value in decided.items() if value}}
