"""The stage of a measurement: an embedded PostgreSQL, workspaces in it, servers as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import psutil

from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.credits import ledger
from tokportal_server.lib import embedded
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.embedded import postmaster
from tokportal_server.lib.embedded.account import account_for
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.migrations.run import migrate
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_person import create_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace

# Limits of requests are no part of what is measured.
UNLIMITED = 1_000_000
NO_LIMITS: Final = {
    "TOKPORTAL_KEY_BUCKET_CAPACITY": str(UNLIMITED),
    "TOKPORTAL_KEY_BUCKET_REFILL_PER_SECOND": str(UNLIMITED),
    "TOKPORTAL_CREATE_BUCKET_PER_MINUTE": str(UNLIMITED),
}
_CREDITS = 1_000_000_000
_START_SECONDS = 120.0
_BENCH: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Tenant:
    """A workspace with a key that may do everything."""

    workspace: UUID
    owner: UUID
    key_id: UUID
    key: str


@contextmanager
def postgres(settings: Mapping[str, str] | None = None) -> Iterator[tuple[Path, str]]:
    """Start PostgreSQL as `serve` would, migrated; give its home and its address."""
    with tempfile.TemporaryDirectory(prefix="tokportal-bench-") as name:
        home = Path(name)
        # PostgreSQL may run as a user of its own, who has to pass through here.
        home.chmod(0o755)
        server = embedded.start(home, settings=settings or {})
        try:
            migrate(server.dsn())
            yield home, server.dsn()
        finally:
            server.stop()


def processes_of_postgres(home: Path) -> dict[int, psutil.Process]:
    """Give what runs of the embedded PostgreSQL of a home, by process id."""
    data = home / "postgres" / "data"
    return postmaster.family(data, account_for(data)) if data.exists() else {}


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Connect as the server does, until the block ends."""
    conn: Connection = await asyncpg.connect(dsn)
    try:
        await prepare_connection(conn)
        yield conn
    finally:
        await conn.close()


async def settle_in(conn: Connection, name: str, *, rehearsal: bool = False) -> Tenant:
    """Make a workspace with more credits than a measurement can spend."""
    person = await create_person(conn=conn, email=f"{name}@example.com", name=name)
    if rehearsal:
        workspace = await create_rehearsal(conn=conn, name=name, owner_id=person, plan="full")
    else:
        workspace = await create_workspace(conn=conn, name=name, owner_id=person)
    key_id, key = await create_api_key(
        conn=conn, workspace_id=workspace, person_id=person, name="bench"
    )
    async with unit_of_work(conn, workspace, now=real_now()) as tx:
        await ledger.grant(
            tx,
            amount=_CREDITS,
            source="grant",
            expires_at=None,
            description="Opening balance",
            business_key="opening",
            actor=SYSTEM,
        )
    return Tenant(workspace, person, key_id, key)


ORDER = CreateBundleRequest(
    bundle_type="account_and_videos",
    country="USA",
    platform="tiktok",
    videos_quantity=3,
    title="A bundle of the measurement",
)
# The same as the body of a request.
BODY: Final = msgspec.json.encode(
    {name: value for name, value in msgspec.structs.asdict(ORDER).items() if value is not None}
)


async def order(conn: Connection, tenant: Tenant) -> UUID:
    """Order a bundle of three slots; give its id."""
    async with unit_of_work(conn, tenant.workspace, now=real_now()) as tx:
        bundle_id, _ = await create_bundle(
            tx=tx, actor=Actor("customer", tenant.key_id), order=ORDER, per_minute=UNLIMITED
        )
    return bundle_id


async def settle_in_with_bundles(dsn: str, name: str, bundles: int) -> tuple[Tenant, UUID]:
    """Make a workspace with so many bundles; give it and the newest bundle's id."""
    async with connected(dsn) as conn:
        tenant = await settle_in(conn, name)
        bundle_id = [await order(conn, tenant) for _ in range(bundles)][-1]
        await conn.execute("VACUUM ANALYZE")
    return tenant, bundle_id


@contextmanager
def api(home: Path, dsn: str) -> Iterator[tuple[int, psutil.Process]]:
    """Run one API process of ours; give its port and the process."""
    port = free_port()
    env = {
        "TOKPORTAL_HOME": str(home),
        "TOKPORTAL_DATABASE_URL": dsn,
        "TOKPORTAL_PORT": str(port),
        **NO_LIMITS,
    }
    with server(child("api"), port, env) as process:
        yield port, process


def child(kind: str) -> list[str]:
    """Give the command of a process that the supervisor keeps: ``api`` or ``worker``."""
    entry = (sys.executable, "-m", "tokportal_server.entry.child", kind)
    return [*entry, "--parent", str(os.getpid())]


@contextmanager
def server(argv: Sequence[str], port: int, env: Mapping[str, str]) -> Iterator[psutil.Process]:
    """Run a server until the block ends; give the process that answers."""
    with running(argv, env) as process:
        until_listening(port, process)
        parent = psutil.Process(process.pid)
        family = [parent, *parent.children(recursive=True)]
        yield max(family[1:] or family, key=lambda child: child.memory_info().rss)


@contextmanager
def running(argv: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, whatever it says, until the block ends."""
    with subprocess.Popen(  # noqa: S603 - our own programs, and peers of fixed versions
        argv, env=os.environ | env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_START_SECONDS)


@contextmanager
def listening(module: str) -> Iterator[int]:
    """Run a module of ``bench/`` that listens on the port that it is given; give the port."""
    port = free_port()
    argv = [sys.executable, "-m", module, str(port)]
    process = subprocess.Popen(argv, cwd=_BENCH)  # noqa: S603 - our own programs
    try:
        until_listening(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


def until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens, or has ended."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("the server does not listen; run its command by hand to see why")


def until_answered(
    port: int, path: str, process: subprocess.Popen[bytes], seconds: float, *, key: str = ""
) -> None:
    """Ask until a 200 comes, every few milliseconds, for so many seconds at most."""
    headers = {"X-API-Key": key} if key else {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
        try:
            connection.request("GET", path, headers=headers)
            if connection.getresponse().status == HTTPStatus.OK:
                return
        except (OSError, HTTPException):
            time.sleep(0.005)
        finally:
            connection.close()
    raise RuntimeError("the server does not answer; run its command by hand to see why")


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
