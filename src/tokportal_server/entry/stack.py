"""Starting the parts: database, migrations, API, worker.

The supervising process starts (or adopts) the embedded PostgreSQL and keeps it running, migrates,
and keeps one API and one worker process running (``child``), given their settings by the
environment. A part that dies is started again; if the supervisor is killed, the
kernel ends the API and the worker, and the next start adopts PostgreSQL.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg
import msgspec

from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib import embedded
from tokportal_server.lib.db import REVISION
from tokportal_server.lib.errors import OperatorError
from tokportal_server.lib.process import ChildSpec, Supervisor
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.vitals import SHARED, shared_folder
from tokportal_server.migrations.run import is_behind, migrate
from tokportal_server.migrations.texts import HAS_TEXTS, TEXTS, SchemaError, refuse_other_texts

HAS_SCHEMA = "SELECT to_regclass('alembic_version') IS NOT NULL"

# What a child needs beyond the drain for giving back what it did not finish, before it is killed.
_MARGIN_SECONDS = 5.0
# A killed predecessor's API lets go of the port about now.
_PORT_SECONDS = 5.0
_PROBE_SECONDS = 5.0


class StartError(OperatorError):
    """The server cannot be started; the message says why and what to do."""


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Give settings with a migrated database: the given one, or the embedded one.

    The embedded one runs on if another process of this installation uses it too.
    """
    if settings.database_url is not None:
        direct = settings.database_direct_url or settings.database_url
        asyncio.run(_schema_of(direct))
        _migrate(direct, settings)
        yield settings
        return
    with embedded.shared(settings.home) as postgres:
        dsn = postgres.dsn()
        _migrate(dsn, settings)
        yield msgspec.structs.replace(settings, database_url=dsn)


@contextmanager
def database_as_it_is(settings: Settings) -> Iterator[str]:
    """Give the address of the database past its pooler, whatever its schema; embedded of any age.

    Raises:
        StartError: the given one cannot be reached.
    """
    if settings.database_url is not None:
        direct = settings.database_direct_url or settings.database_url
        asyncio.run(_schema_of(direct))
        yield direct
        return
    major = embedded.major_of(settings.home) or embedded.NEWEST
    with embedded.shared(settings.home, major=major) as postgres:
        yield postgres.dsn()


def _migrate(dsn: str, settings: Settings) -> None:
    try:
        migrate(dsn)
    except SchemaError as error:
        raise _other_schema(error, settings) from error


def _other_schema(error: SchemaError, settings: Settings) -> StartError:
    start_over = f"stop it and remove {settings.home}"
    if settings.database_url is not None:
        start_over = "drop that database and make it anew"
    return StartError(
        f"{error} If it is a demo or a trial, {start_over}. Otherwise restore a backup that a"
        " release made into an empty installation: tokportal-server restore."
    )


@contextmanager
def borrowed_database(settings: Settings) -> Iterator[Settings]:
    """Give the database for one command; a given one is reached past its pooler, as it is.

    Raises:
        StartError: the given one cannot be reached, or lacks migrations of this release.
    """
    if settings.database_url is not None:
        direct = settings.database_direct_url or settings.database_url
        if is_behind(asyncio.run(checked_revision(direct, settings))):
            raise StartError(
                "The database does not have the schema of this release. Run tokportal-server"
                " migrate, or start tokportal-server serve, which does it first."
            )
        yield msgspec.structs.replace(settings, database_url=direct)
        return
    with database(settings) as ready:
        yield ready


async def _schema_of(dsn: str) -> tuple[str | None, dict[str, str]]:
    """Give the revision of a database's schema, None if it has none, and the texts that made it.

    Raises:
        StartError: the database cannot be reached.
    """
    try:
        conn = await asyncpg.connect(dsn)
        try:
            revision = await conn.fetchval(REVISION) if await conn.fetchval(HAS_SCHEMA) else None
            rows = await conn.fetch(TEXTS) if await conn.fetchval(HAS_TEXTS) else []
            return revision, {row["revision"]: row["sha256"] for row in rows}
        finally:
            await conn.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartError(
            f"The database cannot be reached: {str(error) or type(error).__name__}. Check that"
            " PostgreSQL runs, and what TOKPORTAL_DATABASE_URL says."
        ) from error


async def checked_revision(dsn: str, settings: Settings) -> str | None:
    """Give the revision of a database's schema, None if it has none.

    Raises:
        StartError: the database cannot be reached, or other migrations than ours made its schema.
    """
    revision, texts = await _schema_of(dsn)
    if revision is not None:
        try:
            refuse_other_texts(texts, revision)
        except SchemaError as error:
            raise _other_schema(error, settings) from error
    return revision


def listening(settings: Settings) -> Settings:
    """Give settings with a port that can be listened on; 0 becomes a free one.

    Several processes may listen on one port on purpose, so nothing else would notice a stranger
    who has it: half of the requests would go there.

    Raises:
        StartError: something else listens there.
    """
    if settings.port == 0:
        return msgspec.structs.replace(settings, port=free_port(settings.host))
    deadline = time.monotonic() + _PORT_SECONDS
    while not is_free(settings.host, settings.port):
        if time.monotonic() > deadline:
            raise StartError(
                f"Something else listens on {settings.host}:{settings.port}. Stop it, or set"
                " TOKPORTAL_PORT to another port (0 takes a free one)."
            )
        time.sleep(0.1)
    return settings


def is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens there."""
    try:
        with _bound(host, port):
            return True
    except OSError:
        return False


def free_port(host: str) -> int:
    """Find a port that nobody listens on."""
    with _bound(host, 0) as probe:
        return int(probe.getsockname()[1])


def _bound(host: str, port: int) -> socket.socket:
    family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    probe = socket.socket(family, kind)
    try:
        # As the server itself binds: connections of an earlier run that linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    except OSError:
        probe.close()
        raise
    return probe


def supervisor(settings: Settings, *, workers: int, with_worker: bool) -> Supervisor:
    """Give the supervisor of the processes to keep running."""
    env = environment(settings) | {SHARED: str(shared_folder(settings.home))}
    program = [sys.executable, "-m", "tokportal_server.entry.child", "--parent", str(os.getpid())]
    specs = [ChildSpec("api", [*program, "api", "--workers", str(workers)], env)]
    if with_worker:
        specs.append(ChildSpec("worker", [*program, "worker"], env))
    return Supervisor(specs, grace=settings.drain_seconds + _MARGIN_SECONDS)


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


def local_address(settings: Settings) -> str:
    """Give the address at which this machine reaches the server, whatever callers use."""
    return msgspec.structs.replace(settings, public_url=None).origin()


async def until_ready(address: str, running: asyncio.Task[int]) -> bool:
    """Wait until the server answers that it is ready; False if ``running`` ended before."""
    while not running.done():
        with suppress(URLError, ConnectionError, TimeoutError):
            await asyncio.to_thread(_probe, f"{address}/readyz")
            return True
        await asyncio.sleep(0.05)
    return False


def _probe(url: str) -> None:
    with urlopen(url, timeout=_PROBE_SECONDS):  # noqa: S310 - our own address
        pass


def serve(settings: Settings, *, workers: int, with_worker: bool) -> int:
    """Keep the parts running until stopped, and say on standard output when they are ready."""
    settings = listening(settings)
    with database(settings) as ready:
        asyncio.run(_prove(ready))
        parts = supervisor(ready, workers=workers, with_worker=with_worker)
        return asyncio.run(_serve(ready, parts))


async def _prove(settings: Settings) -> None:
    # Parts that cannot start would be started again and again; what only a person can mend, such
    # as a missing vault key, is said once instead.
    async with open_ports(settings):
        pass


async def _serve(settings: Settings, parts: Supervisor) -> int:
    running = asyncio.create_task(parts.run())
    if await until_ready(local_address(settings), running):
        sys.stdout.write(f"tokportal-server is ready: {settings.origin()}/api/ext\n")
        sys.stdout.flush()
    return await running
