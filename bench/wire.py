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

import os
import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvloop
from granian import Granian
from granian.constants import Interfaces, Loops
from harness.load import Side, asking, compare, request
from harness.report import Report, reporting
from harness.stage import (
    UNLIMITED,
    api,
    free_port,
    postgres,
    server,
    settle_in_with_bundles,
)

from tokportal_server.bundles.queries import COUNTED, GET, NEWEST
from tokportal_server.credits.ledger import SPENDABLE
from tokportal_server.credits.queries import ME
from tokportal_server.http.admission import ADMIT

LIMIT = 0.7
ROWS = 25
POOL = 10
CLIENTS = (1, 8)
Sides = Callable[[list[bytes]], Side]


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
            caller = await conn.fetchrow(ADMIT, hashed, 1, UNLIMITED, UNLIMITED)
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


# The comparison.


async def run(report: Report, paths: dict[str, bytes], ours: Sides, bare: Sides) -> None:
    """Compare every operation."""
    for clients in CLIENTS:
        for name, one in paths.items():
            requests = [one] * clients
            await compare(
                report,
                f"{name}, {clients} client(s)",
                ours(requests),
                bare(requests),
                against="the bare handler",
                at_least=LIMIT,
            )


def main() -> int:
    """Measure; the exit code is 1 if a median was under the limit."""
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn):
        tenant, bundle_id = uvloop.run(settle_in_with_bundles(dsn, "reader", ROWS))
        port = free_port()
        bare_argv = [sys.executable, __file__, str(port)]
        with (
            api(home, dsn) as (our_port, ours),
            server(bare_argv, port, {"BENCH_DSN": dsn}) as bare,
        ):
            paths = {
                "GET /me": request("/me", tenant.key),
                "GET /bundles/{id}": request(f"/bundles/{bundle_id}", tenant.key),
                "GET /bundles": request("/bundles", tenant.key),
            }
            uvloop.run(
                run(
                    report,
                    paths,
                    partial(asking, our_port, ours),
                    partial(asking, port, bare),
                )
            )
    return report.exit_code


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve_bare(int(sys.argv[1]))
    else:
        sys.exit(main())
