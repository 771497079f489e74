"""The stage of a measurement: an embedded PostgreSQL, workspaces in it, servers as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil

from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.credits import ledger
from tokportal_server.lib import embedded
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.migrations.run import migrate
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_person import create_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace

# Limits of requests are no part of what is measured.
UNLIMITED = 1_000_000
_CREDITS = 1_000_000_000
_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """A workspace with a key that may do everything."""

    workspace: UUID
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
    return Tenant(workspace, key_id, key)


ORDER = CreateBundleRequest(
    bundle_type="account_and_videos",
    country="USA",
    platform="tiktok",
    videos_quantity=3,
    title="A bundle of the measurement",
)


async def order(conn: Connection, tenant: Tenant) -> UUID:
    """Order a bundle of three slots; give its id."""
    async with unit_of_work(conn, tenant.workspace, now=real_now()) as tx:
        bundle_id, _ = await create_bundle(
            tx=tx, actor=Actor("customer", tenant.key_id), order=ORDER, per_minute=UNLIMITED
        )
    return bundle_id


@contextmanager
def api(home: Path, dsn: str) -> Iterator[tuple[int, psutil.Process]]:
    """Run one API process of ours; give its port and the process."""
    port = free_port()
    env = {
        "TOKPORTAL_HOME": str(home),
        "TOKPORTAL_DATABASE_URL": dsn,
        "TOKPORTAL_PORT": str(port),
        "TOKPORTAL_KEY_BUCKET_CAPACITY": str(UNLIMITED),
        "TOKPORTAL_KEY_BUCKET_REFILL_PER_SECOND": str(UNLIMITED),
        "TOKPORTAL_CREATE_BUCKET_PER_MINUTE": str(UNLIMITED),
    }
    child = [
        *(sys.executable, "-m", "tokportal_server.entry.child", "api"),
        *("--parent", str(os.getpid())),
    ]
    with server(child, port, env) as process:
        yield port, process


@contextmanager
def server(argv: Sequence[str], port: int, env: Mapping[str, str]) -> Iterator[psutil.Process]:
    """Run a server until the block ends; give the process that answers."""
    with subprocess.Popen(  # noqa: S603 - our own programs
        argv, env=os.environ | env, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until_listening(port, process)
            parent = psutil.Process(process.pid)
            family = [parent, *parent.children(recursive=True)]
            yield max(family[1:] or family, key=lambda child: child.memory_info().rss)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_START_SECONDS)


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


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
