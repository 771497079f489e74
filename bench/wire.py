"""Three reads over HTTP, ours against a bare handler that runs the same SQL (limit 0.7).

1. An embedded PostgreSQL with its default settings, in a home of its own, and a workspace with 25
   bundles of three slots each.
2. Two servers under Granian with one process each: ours, and ``bare_app``, which admits the key and
   runs the operation's statements on one pooled connection, and encodes the rows as they come.
3. The same load on one and then the other, in pairs, first with one connection that always waits
   for its answer, then with eight. What counts is the median of the pairs' ratios.

Run it with nothing else going on; ``python bench/wire.py``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec
import psutil
import uvloop
from granian import Granian
from granian.constants import Interfaces, Loops

from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.queries import COUNTED, GET, NEWEST
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import SPENDABLE
from tokportal_server.credits.queries import ME
from tokportal_server.http.admission import ADMIT
from tokportal_server.lib import embedded
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.migrations.run import migrate
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_person import create_person
from tokportal_server.workspaces.operations.create_workspace import create_workspace

LIMIT = 0.7
PAIRS = 11
SECONDS = 0.6
ROWS = 25
POOL = 10
CLIENTS = (1, 8)
BUCKET = 1_000_000
START_SECONDS = 20.0


# The handler that is compared with: what nobody can leave out, and nothing else.


class Bare:
    """An ASGI application: key, statements, JSON."""

    def __init__(self) -> None:
        self._pool: asyncpg.Pool[asyncpg.Record]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        key = next(value for name, value in scope["headers"] if name == b"x-api-key")
        async with self._pool.acquire() as conn:
            hashed = sha256(key).digest()
            caller = await conn.fetchrow(ADMIT, hashed, 1, BUCKET, BUCKET)
            if caller is None or caller["outcome"] != "ok":
                raise PermissionError(f"the key is {caller and caller['outcome']}")
            answer = await _rows(conn, caller, scope["path"].removeprefix("/api/ext"))
        body = msgspec.json.encode(answer)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        self._pool = await asyncpg.create_pool(
            os.environ["BENCH_DSN"], min_size=POOL, max_size=POOL, reset=_keep
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _keep(_: object) -> None:
    """Leave a session as it is, as ours does: nothing in it was changed."""


async def _rows(conn: Any, caller: asyncpg.Record, path: str) -> Any:
    workspace = caller["workspace_id"]
    if path == "/me":
        row = await conn.fetchrow(ME, workspace, caller["key_id"])
        now = caller["real_now"] + caller["clock_offset"]
        return {"data": dict(row), "credits": await conn.fetchval(SPENDABLE, workspace, now)}
    if path == "/bundles":
        rows = await conn.fetch(NEWEST, workspace, ROWS, 0)
        total = await conn.fetchval(COUNTED, workspace, None)
        return {"data": [dict(row) for row in rows], "total": total}
    row = await conn.fetchrow(GET, workspace, UUID(path.removeprefix("/bundles/")))
    return {"data": dict(row)}


def bare_app() -> Bare:
    """Make the application of Granian's worker process."""
    return Bare()


def serve_bare(port: int) -> None:
    """Listen with the options that our own server has."""
    Granian(
        "wire:bare_app",
        factory=True,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        websockets=False,
        log_enabled=False,
    ).serve()


# The stage: a database with a workspace in it, and the two servers.


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the servers are and what to ask them for."""

    dsn: str
    key: str
    bundle_id: UUID


async def seed(dsn: str) -> tuple[str, UUID]:
    """Make a workspace with 25 bundles; give its key and the newest bundle's id."""
    conn = await asyncpg.connect(dsn)
    await prepare_connection(conn)
    try:
        person = await create_person(conn=conn, email="alice@example.com", name="Alice")
        workspace = await create_workspace(conn=conn, name="Acme", owner_id=person)
        key_id, key = await create_api_key(
            conn=conn, workspace_id=workspace, person_id=person, name="bench"
        )
        await _grant(conn, workspace)
        for _ in range(ROWS):
            bundle_id = await _order(conn, workspace, key_id)
        await conn.execute("VACUUM ANALYZE")
    finally:
        await conn.close()
    return key, bundle_id


async def _grant(conn: Connection, workspace: UUID) -> None:
    async with unit_of_work(conn, workspace, now=real_now()) as tx:
        await ledger.grant(
            tx,
            amount=100_000,
            source="grant",
            expires_at=None,
            description="Opening balance",
            business_key="opening",
            actor=SYSTEM,
        )


async def _order(conn: Connection, workspace: UUID, key_id: UUID) -> UUID:
    order = CreateBundleRequest(
        bundle_type="account_and_videos",
        country="USA",
        platform="tiktok",
        videos_quantity=3,
        title="A bundle of the measurement",
    )
    async with unit_of_work(conn, workspace, now=real_now()) as tx:
        bundle_id, _ = await create_bundle(
            tx=tx, actor=Actor("customer", key_id), order=order, per_minute=BUCKET
        )
    return bundle_id


@contextmanager
def stage() -> Iterator[tuple[Path, Stage]]:
    """Start PostgreSQL as `serve` would, and fill it."""
    with tempfile.TemporaryDirectory(prefix="tokportal-bench-") as name:
        home = Path(name)
        # PostgreSQL may run as a user of its own, who has to pass through here.
        home.chmod(0o755)
        postgres = embedded.start(home)
        try:
            migrate(postgres.dsn())
            key, bundle_id = asyncio.run(seed(postgres.dsn()))
            yield home, Stage(postgres.dsn(), key, bundle_id)
        finally:
            postgres.stop()


@contextmanager
def server(argv: list[str], port: int, env: dict[str, str]) -> Iterator[psutil.Process]:
    """Run a server until the block ends; give the process that answers."""
    with subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, *argv], env=os.environ | env, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _until_listening(port, process)
            children = psutil.Process(process.pid).children(recursive=True)
            yield max(children, key=lambda child: child.memory_info().rss)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=START_SECONDS)


def _until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
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


# The load: connections that ask again as soon as they are answered.


class Asker(asyncio.Protocol):
    """One connection; counts what it is answered until it is told to stop."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self._transport: asyncio.Transport
        self.answers = 0
        self.error: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Ask again once an answer is whole."""
        self._buffer += data
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        _, found, rest = head.lower().partition(b"content-length: ")
        if not found or len(body) < int(rest.partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.error = self._buffer[:300].decode("latin-1")
            self._transport.close()
            return
        self._buffer = b""
        self.answers += 1
        self._transport.write(self._request)

    def close(self) -> None:
        """Ask no more."""
        self._transport.close()


@asynccontextmanager
async def _asking(port: int, request: bytes, clients: int) -> AsyncIterator[list[Asker]]:
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Asker(request), "127.0.0.1", port)
        for _ in range(clients)
    ]
    try:
        yield [asker for _, asker in pairs]
    finally:
        for _, asker in pairs:
            asker.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one server did in one stretch."""

    per_second: float
    cpu_ms: float


async def _load(port: int, process: psutil.Process, request: bytes, clients: int) -> Measured:
    async with _asking(port, request, clients) as askers:
        began, used = time.perf_counter(), _cpu(process)
        await asyncio.sleep(SECONDS)
        seconds, used = time.perf_counter() - began, _cpu(process) - used
        answers = sum(asker.answers for asker in askers)
    errors = [asker.error for asker in askers if asker.error]
    assert not errors, errors[0]
    return Measured(answers / seconds, 1000 * used / max(1, answers))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


# The comparison.

Loader = Callable[[bytes, int], Awaitable[Measured]]


async def compare(name: str, request: bytes, clients: int, ours: Loader, bare: Loader) -> float:
    """Measure in pairs, each beginning with the other one; print, and give the median ratio."""
    ratios: list[float] = []
    sides: dict[Loader, list[Measured]] = {ours: [], bare: []}
    for number in range(-1, PAIRS):
        for side in (ours, bare) if number % 2 else (bare, ours):
            measured = await side(request, clients)
            # The first pair only warms up.
            if number >= 0:
                sides[side].append(measured)
        if number >= 0:
            ratios.append(sides[ours][-1].per_second / sides[bare][-1].per_second)
    ratios.sort()
    speed = [median(one.per_second for one in sides[side]) for side in (ours, bare)]
    cpu = [median(one.cpu_ms for one in sides[side]) for side in (ours, bare)]
    print(
        f"{name:<20} {clients} client(s): {median(ratios):.2f} of bare"
        f" (middle half {ratios[PAIRS // 4]:.2f} to {ratios[-1 - PAIRS // 4]:.2f});"
        f" {speed[0]:.0f} and {speed[1]:.0f} requests/s;"
        f" {cpu[0]:.2f} and {cpu[1]:.2f} ms CPU of the process a request"
    )
    return median(ratios)


def _request(path: str, key: str) -> bytes:
    return (f"GET /api/ext{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\r\n").encode()


async def run(scene: Stage, ours: Loader, bare: Loader) -> bool:
    """Compare every operation; tell whether all kept the limit."""
    kept = True
    paths = {
        "GET /me": "/me",
        "GET /bundles/{id}": f"/bundles/{scene.bundle_id}",
        "GET /bundles": "/bundles",
    }
    for clients in CLIENTS:
        for name, path in paths.items():
            ratio = await compare(name, _request(path, scene.key), clients, ours, bare)
            kept = kept and ratio >= LIMIT
    return kept


def main() -> int:
    """Measure; the exit code is 1 if a median was under the limit."""
    with stage() as (home, scene):
        ports = free_port(), free_port()
        env = {
            "TOKPORTAL_HOME": str(home),
            "TOKPORTAL_DATABASE_URL": scene.dsn,
            "TOKPORTAL_PORT": str(ports[0]),
            "TOKPORTAL_KEY_BUCKET_CAPACITY": str(BUCKET),
            "TOKPORTAL_KEY_BUCKET_REFILL_PER_SECOND": str(BUCKET),
        }
        child = ["-m", "tokportal_server.entry.child", "api", "--parent", str(os.getpid())]
        with (
            server(child, ports[0], env) as ours,
            server([__file__, str(ports[1])], ports[1], {"BENCH_DSN": scene.dsn}) as bare,
        ):
            kept = uvloop.run(
                run(
                    scene,
                    lambda request, clients: _load(ports[0], ours, request, clients),
                    lambda request, clients: _load(ports[1], bare, request, clients),
                )
            )
    print(f"limit {LIMIT}: {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve_bare(int(sys.argv[1]))
    else:
        sys.exit(main())
