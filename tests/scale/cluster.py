"""Many machines that are one server: APIs and workers with homes of their own, one PostgreSQL.

1. A PostgreSQL over TCP, of the version asked for, with PgBouncer before it or not.
2. A bucket that speaks S3, for media; one vault key, which every machine is given.
3. APIs that all start at once on the empty database, behind a balancer; then workers.
4. The cast, and a receiver of webhooks.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cast import World, people_the_world
from tests.conftest import free_port
from tests.entry.installation import Installation, Program, installed
from tests.lib.databases import connected
from tests.lib.s3 import ACCESS_KEY, SECRET_KEY, make_bucket, s3_endpoint
from tests.lib.waiting import SAFETY_NET
from tests.pages.guest import give_passwords
from tests.scale.balancer import Balancer, balancing
from tests.scale.pooler import pooled
from tests.scale.postgres import External, external_postgres
from tokportal_server.entry.demo.receiver import Receiver, receiving
from tokportal_server.lib.db import Connection

VAULT_KEY: Final = "5c" * 32
DATABASE: Final = "shared"


@dataclass(frozen=True)
class Shape:
    """How many of what."""

    major: int = 18
    apis: int = 3
    workers: int = 3
    pooled: bool = False


@dataclass
class Machine:
    """One machine: its installation, what it runs, and for an API the port."""

    installation: Installation
    arguments: tuple[str, ...]
    port: int = 0
    program: Program | None = None

    @property
    def address(self) -> str:
        """Where its API is, past the balancer."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> Program:
        """The program that it runs."""
        assert self.program is not None
        return self.program

    async def start(self) -> None:
        """Start it, and wait until it works."""
        self.program = self.installation.start(*self.arguments)
        if self.port:
            line = await asyncio.to_thread(self.program.line)
            assert line, self.program.log.read_text()
            return
        deadline = time.monotonic() + SAFETY_NET
        while "worker_started" not in self.program.log.read_text():
            assert self.program.process.poll() is None, self.program.log.read_text()
            assert time.monotonic() < deadline, self.program.log.read_text()
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop it in good order."""
        assert await asyncio.to_thread(self.running.stop) == 0, self.running.log.read_text()

    def complaints(self) -> list[str]:
        """Give what it has logged as a warning or worse."""
        return [
            line
            for line in self.running.log.read_text().splitlines()
            if json.loads(line).get("level") not in {"debug", "info"}
        ]


@dataclass
class Cluster:
    """The machines, and what stands around them."""

    apis: list[Machine]
    workers: list[Machine]
    balancer: Balancer
    receiver: Receiver
    hook: str
    dsn: str
    world: World

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """Give a connection of the test's own, past the pooler."""
        async with connected(self.dsn, timezone="UTC") as conn:
            yield conn


@asynccontextmanager
async def running(shape: Shape) -> AsyncIterator[Cluster]:
    """Build the cluster; stop it in good order at the end."""
    async with AsyncExitStack() as stack:
        external = stack.enter_context(external_postgres(shape.major))
        dsn = await external.make_database(DATABASE)
        port, hook_port = free_port(), free_port()
        settings = {
            "TOKPORTAL_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "TOKPORTAL_WEBHOOKS_ALLOWED_PORTS": str(hook_port),
            **_SHARED,
            **_database(stack, shape, external, dsn),
            **_bucket(stack),
        }
        apis = [_machine(stack, settings, "serve", port=free_port()) for _ in range(shape.apis)]
        workers = [_machine(stack, settings, "worker") for _ in range(shape.workers)]
        servers = [api.port for api in apis]
        balancer = await stack.enter_async_context(balancing(port, servers))
        receiver = await stack.enter_async_context(receiving(hook_port))
        # All at once on the empty database: each wants to migrate it.
        await asyncio.gather(*(api.start() for api in apis))
        await asyncio.gather(*(worker.start() for worker in workers))
        async with connected(dsn, timezone="UTC") as conn:
            world = await people_the_world(conn, rehearsal=True)
            await give_passwords(conn, world.alice, world.olga)
        hook = f"http://127.0.0.1:{hook_port}/hook"
        yield Cluster(apis, workers, balancer, receiver, hook, dsn, world)
        await asyncio.gather(*(machine.stop() for machine in (*apis, *workers)))


_SHARED: Final = {
    "TOKPORTAL_VAULT_KEY": VAULT_KEY,
    "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": "true",
    "TOKPORTAL_KEY_BUCKET_CAPACITY": "100000",
    "TOKPORTAL_CREATE_BUCKET_PER_MINUTE": "100000",
    "TOKPORTAL_DRAIN_SECONDS": "10",
}


def _machine(
    stack: AsyncExitStack, settings: dict[str, str], *arguments: str, port: int = 0
) -> Machine:
    own = {"TOKPORTAL_PORT": str(port)} if port else {}
    installation = stack.enter_context(installed(**settings, **own))
    return Machine(installation, arguments, port)


def _database(stack: AsyncExitStack, shape: Shape, external: External, dsn: str) -> dict[str, str]:
    if not shape.pooled:
        return {"TOKPORTAL_DATABASE_URL": dsn}
    return {
        "TOKPORTAL_DATABASE_URL": stack.enter_context(pooled(external, DATABASE)),
        "TOKPORTAL_DATABASE_DIRECT_URL": dsn,
        "TOKPORTAL_DATABASE_POOLER": "transaction",
    }


def _bucket(stack: AsyncExitStack) -> dict[str, str]:
    endpoint = stack.enter_context(s3_endpoint())
    return {
        "TOKPORTAL_STORAGE_URL": f"s3://{make_bucket(endpoint)}/media",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": endpoint,
    }


def homes(cluster: Cluster) -> dict[str, set[str]]:
    """Give what each machine has in its home."""
    return {
        str(machine.installation.home): _names(machine.installation.home)
        for machine in (*cluster.apis, *cluster.workers)
    }


def _names(home: Path) -> set[str]:
    return {path.name for path in home.iterdir()} if home.exists() else set()
