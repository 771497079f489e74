"""The installation under trial: two servers, with API and worker each, on one database.

Between each server and PostgreSQL is a proxy; PostgreSQL's data and the servers' home are on small
disks of their own. PostgreSQL is kept running as ``serve`` does it, by ``lib.embedded.shared``.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import psutil

from tests.conftest import free_port
from tests.entry.installation import Installation, Program, kill
from tests.faults.disk import SmallDisk, small_disk
from tests.faults.outside import Outside
from tests.faults.proxy import Proxy, proxying, through
from tests.lib.directories import passable_directory
from tokportal_server.lib import embedded
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.embedded import EmbeddedPostgres
from tokportal_server.migrations.run import migrate

SERVERS: Final = 2
_DATABASE_MEGABYTES: Final = 2500
_HOME_MEGABYTES: Final = 800
_MANY: Final = "1000000"
UNTOLD = """
SELECT count(*) FROM events
 WHERE dispatched_at IS NULL AND recorded_at < now() - interval '2 seconds'
"""


@dataclass
class Server:
    """One ``serve``, which is started again at the same place when it was killed or stopped."""

    installation: Installation
    proxy: Proxy
    port: int
    settings: dict[str, str]
    api_workers: int
    program: Program | None = None
    logs: list[Path] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, and wait until it is ready; not if it runs already."""
        if self.program is not None and self.program.process.poll() is None:
            return
        if self.program is not None:
            self.program.close()
        arguments = ("--with-worker", "--workers", str(self.api_workers))
        self.program = await asyncio.to_thread(
            self.installation.serve, *arguments, TOKPORTAL_PORT=str(self.port), **self.settings
        )
        self.logs.append(self.program.log)

    def kill(self) -> None:
        """Kill all of its processes at once."""
        assert self.program is not None
        if self.program.process.poll() is None:
            kill(self.program.tree())

    async def stop(self) -> int:
        """Stop it in good order; give the exit code."""
        assert self.program is not None
        return await asyncio.to_thread(self.program.stop)

    async def part(self, name: str) -> psutil.Process:
        """Give the supervisor's child ``api`` or ``worker``, once it is there."""
        assert self.program is not None
        return await asyncio.to_thread(self.program.named, name)

    async def api_worker(self, pick: int) -> psutil.Process:
        """Give one of Granian's processes, or Granian itself while it has none."""
        api = await self.part("api")
        children = api.children()
        return children[pick % len(children)] if children else api


@dataclass
class Scene:
    """Everything that blows may fall on."""

    postgres: EmbeddedPostgres
    database_disk: SmallDisk
    home: Path
    home_disk: SmallDisk
    servers: list[Server]
    outside: Outside

    @property
    def dsn(self) -> str:
        """The database, past the proxies."""
        return self.postgres.dsn()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """Give a connection of our own, past the proxies."""
        conn = await asyncpg.connect(self.dsn, timeout=5)
        try:
            await prepare_connection(conn)
            yield conn
        finally:
            await conn.close(timeout=5)

    async def ailment(self) -> str | None:
        """Say what is not well: a server that does not answer, events that nobody tells."""
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
                for number, server in enumerate(self.servers, 1):
                    async with session.get(f"{server.address}/readyz") as reply:
                        if reply.status != 200:
                            return f"server {number} answers {reply.status}"
            async with self.connected() as conn:
                untold = await conn.fetchval(UNTOLD)
                return f"{untold} events are not told" if untold else None
        except (aiohttp.ClientError, OSError, TimeoutError, asyncpg.PostgresError) as error:
            return f"{type(error).__name__}: {error}"

    def heal(self) -> None:
        """Take back every fault, as far as it lasts."""
        self.database_disk.free()
        self.home_disk.free()
        for server in self.servers:
            server.proxy.heal()
        self.outside.heal()

    def logged(self) -> list[dict[str, Any]]:
        """Give what all servers have logged, those that are gone included."""
        logs = [log for server in self.servers for log in server.logs]
        lines = [line for log in logs for line in log.read_text().splitlines(keepends=True)]
        return [entry for line in lines if (entry := _entry(line)) is not None]


def _entry(line: str) -> dict[str, Any] | None:
    """Read a line; one that a killed process left half, and another went on with, is none."""
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return entry


def _settings(outside: Outside, dsn: str, port: int) -> dict[str, str]:
    ports = f"{outside.port},{urlsplit(outside.platform.url).port}"
    return {
        "TOKPORTAL_DATABASE_URL": through(dsn, port),
        "TOKPORTAL_LOG_LEVEL": "warning",
        "TOKPORTAL_DRAIN_SECONDS": "10",
        "TOKPORTAL_KEY_BUCKET_CAPACITY": _MANY,
        "TOKPORTAL_KEY_BUCKET_REFILL_PER_SECOND": _MANY,
        "TOKPORTAL_CREATE_BUCKET_PER_MINUTE": _MANY,
        "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": "true",
        "TOKPORTAL_WEBHOOKS_ALLOWED_PORTS": ports,
        "TOKPORTAL_TIKTOK_CLIENT_KEY": "key",
        "TOKPORTAL_TIKTOK_CLIENT_SECRET": "secret",
        "TOKPORTAL_TIKTOK_API_URL": outside.platform.url,
        "TOKPORTAL_TIKTOK_CALLS_PER_MINUTE": _MANY,
    }


@asynccontextmanager
async def staged(outside: Outside, *, api_workers: int) -> AsyncIterator[Scene]:
    """Set the scene; stop everything in good order after, and assert that it ends so."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(passable_directory())
        database_disk = stack.enter_context(
            small_disk(directory / "database", megabytes=_DATABASE_MEGABYTES)
        )
        home_disk = stack.enter_context(small_disk(directory / "home", megabytes=_HOME_MEGABYTES))
        keeper = embedded.shared(database_disk.place)
        postgres = await asyncio.to_thread(keeper.__enter__)
        stack.push_async_callback(asyncio.to_thread, keeper.__exit__, None, None, None)
        installation = Installation(home_disk.place)
        stack.callback(installation.close)
        servers = []
        ports = [free_port() for _ in range(SERVERS)]
        for port in ports:
            proxy = await stack.enter_async_context(proxying(postgres.dsn()))
            settings = _settings(outside, postgres.dsn(), proxy.port)
            # Both are one server to their callers, as behind a reverse proxy.
            settings["TOKPORTAL_PUBLIC_URL"] = f"http://127.0.0.1:{ports[0]}"
            servers.append(Server(installation, proxy, port, settings, api_workers))
        scene = Scene(postgres, database_disk, home_disk.place, home_disk, servers, outside)
        await asyncio.to_thread(migrate, postgres.dsn())
        await asyncio.gather(*(server.start() for server in servers))
        yield scene
        assert await asyncio.gather(*(server.stop() for server in servers)) == [0] * SERVERS


def chance_of(seed: int, *what: object) -> random.Random:
    """Give random numbers of their own to everybody who needs some."""
    return random.Random(repr((seed, *what)))
