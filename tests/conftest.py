"""One PostgreSQL for the whole run, one migrated template, a database of its own for each test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from tests.analytics.providers.platforms import FakeTikTok, running
from tests.cast import World, people_the_world
from tests.client import Client
from tests.lib.databases import ADDRESS, connected, own_database
from tokportal_server.entry.api import Api
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib import embedded, log
from tokportal_server.lib.db import Database
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.migrations.run import migrate

_MAJOR = "TEST_POSTGRES_MAJOR"
TEMPLATE = "tokportal_template"
# What the databases of a few processes, and the log of changes, have never come near.
_ROOM = 4 * 2**30
_FAST = {"fsync": "off", "synchronous_commit": "off", "max_connections": "200"}


def pytest_configure(config: pytest.Config) -> None:
    log.configure("warning", "console")
    # With several processes only the controller owns the server; the others inherit its address.
    if hasattr(config, "workerinput") or os.environ.get(ADDRESS):
        return
    home = Path(tempfile.mkdtemp(prefix="tokportal-tests-", dir=_fast_folder()))
    # The server may run as a user of its own, who has to pass through this directory of ours.
    home.chmod(0o755)
    postgres = embedded.start(home, major=int(os.environ.get(_MAJOR, "18")), settings=_FAST)
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    config.add_cleanup(lambda: postgres.stop(mode="immediate"))
    os.environ[ADDRESS] = postgres.dsn("postgres")
    config.add_cleanup(_forget_address)
    asyncio.run(_make_template(postgres.dsn("postgres")))
    migrate(postgres.dsn(TEMPLATE))


def _fast_folder() -> str | None:
    """Give a folder in memory, if there is room in one; None is where temporary files are.

    A database for each test is a thousand small files: on a disk that took a second a test.
    """
    shared = Path("/dev/shm")  # noqa: S108 - where Linux has memory as files, or nowhere
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > _ROOM
    return str(shared) if roomy and os.access(shared, os.W_OK) else None


def _forget_address() -> None:
    os.environ.pop(ADDRESS, None)


async def _make_template(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    await connection.close()


@pytest.fixture
async def dsn() -> AsyncIterator[str]:
    """A database of this test's own, cloned from the migrated template."""
    async with own_database(f"TEMPLATE {TEMPLATE} STRATEGY file_copy") as address:
        yield address


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory."""
    with tempfile.TemporaryDirectory(prefix="tokportal-home-") as name:
        yield Path(name)


@pytest.fixture
async def tiktok() -> AsyncIterator[FakeTikTok]:
    """TikTok, for one app."""
    fake = FakeTikTok()
    async with running(fake):
        yield fake


@pytest.fixture
def settings(dsn: str, home: Path) -> Settings:
    """Settings of a test server on a free loopback port."""
    return Settings(
        home=home,
        database_url=dsn,
        port=free_port(),
        log_level="warning",
        webhooks_allow_loopback=True,
        # Tests ask more often than customers; what limits do is tested with limits of their own.
        key_bucket_capacity=100_000,
        create_bucket_per_minute=100_000,
    )


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A pool on the test's database."""
    opened = await Database.open(settings.database_url or "", size=5)
    yield opened
    await opened.close()


@pytest.fixture
async def conn(dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """One plain connection to the test's database."""
    async with connected(dsn) as connection:
        yield connection


@pytest.fixture
async def ports(settings: Settings) -> AsyncIterator[Ports]:
    """The ports of a worker process."""
    async with open_ports(settings) as opened:
        yield opened


@pytest.fixture
async def world(database: Database) -> World:
    """The cast, with their workspaces, keys and credits."""
    async with database.connection() as connection:
        return await people_the_world(connection)


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """Serve the API over real HTTP on loopback; give its base URL."""
    server = Server(
        Api(settings),
        address="127.0.0.1",
        port=settings.port,
        interface=Interfaces.ASGI,
        log_enabled=False,
    )
    task = asyncio.create_task(server.serve())
    await _listening(settings.port, task)
    try:
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await task


async def _listening(port: int, task: asyncio.Task[None]) -> None:
    for _ in range(500):
        if task.done():
            task.result()
            raise RuntimeError("the server ended before it listened")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
    raise RuntimeError("the server did not listen within five seconds")


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[str]:
    """The base address of a live server on this test's database."""
    async with serving(settings) as address:
        yield address


@pytest.fixture
async def alice(server: str, world: World) -> AsyncIterator[Client]:
    """Alice, owner of the workspace, with a key that may do everything."""
    async with Client(server, world.alice_key) as client:
        yield client


@pytest.fixture
async def bob(server: str, world: World) -> AsyncIterator[Client]:
    """Bob, of Alice's workspace, with a read-only key."""
    async with Client(server, world.bob_key) as client:
        yield client


@pytest.fixture
async def charlie(server: str, world: World) -> AsyncIterator[Client]:
    """Charlie, a stranger with a workspace of his own."""
    async with Client(server, world.charlie_key) as client:
        yield client


@pytest.fixture
async def nobody(server: str) -> AsyncIterator[Client]:
    """Somebody without a key."""
    async with Client(server, None) as client:
        yield client
