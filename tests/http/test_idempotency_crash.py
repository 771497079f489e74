"""A crash after any statement of a keyed call leaves nothing, and its retry makes one effect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.cast import World
from tests.http.test_dry_run import everything
from tokportal_server.entry.operations import all_operations
from tokportal_server.http.app import build_app
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.workbench.doctor import examine

ORDER = {"bundle_type": "account_and_videos", "country": "USA", "videos_quantity": 1}
PRICE = 27


class PowerCut(Exception):  # noqa: N818 - what a test does to the server, not an error of it
    """The process is gone after a statement."""


@dataclass
class Fuse:
    """Blows after ``left`` statements more; ``spent`` counts them all."""

    left: int | None = None
    spent: int = 0

    def statement(self) -> None:
        """Count one that was done."""
        self.spent += 1
        if self.left is not None and self.spent >= self.left:
            raise PowerCut


class Wired:
    """A connection whose statements pass through a fuse."""

    def __init__(self, conn: Any, fuse: Fuse) -> None:
        self._conn = conn
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._conn, name)
        if name not in {"execute", "executemany", "fetch", "fetchrow", "fetchval"}:
            return found

        async def run(*args: Any, **kwargs: Any) -> Any:
            result = await found(*args, **kwargs)
            self._fuse.statement()
            return result

        return run


class WiredDatabase:
    """A database that lends wired connections."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fuse = Fuse()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend one."""
        async with self._database.connection() as conn:
            yield Wired(conn, self.fuse)


class Shop:
    """An application whose database has a fuse, called without a server around it."""

    def __init__(self, ports: Ports, world: World) -> None:
        self._database = WiredDatabase(ports.database)
        lent: Any = self._database
        self._app = build_app(
            all_operations(), replace(ports, database=lent), base_url="http://x", form_limits={}
        )
        self._key = world.alice_key.encode()

    async def order(self, ref: str, fuse: Fuse | None = None) -> tuple[int, bytes, bool]:
        """Order with a key of its own, every statement on the fuse: status, body, replayed."""
        self._database.fuse = fuse or Fuse()
        sent: list[Any] = []

        async def receive() -> Any:
            body = json.dumps(ORDER | {"external_ref": ref}).encode()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(self._scope(ref), receive, send)
        head, *rest = sent
        replayed = (b"idempotent-replayed", b"true") in head["headers"]
        return head["status"], b"".join(part["body"] for part in rest), replayed

    def _scope(self, ref: str) -> Any:
        return {
            "type": "http",
            "method": "POST",
            "path": "/api/ext/bundles",
            "raw_path": b"/api/ext/bundles",
            "query_string": b"",
            "headers": [
                (b"content-type", b"application/json"),
                (b"x-api-key", self._key),
                (b"idempotency-key", ref.encode()),
            ],
            "state": {},
        }


async def test_a_crash_after_any_statement_leaves_nothing_and_the_retry_makes_one_order(
    ports: Ports, world: World, conn: Connection, settings: Settings
) -> None:
    shop, whole = Shop(ports, world), Fuse()
    assert (await shop.order("whole", whole))[0] == 201
    assert whole.spent > 10
    for crash_after in range(1, whole.spent + 1):
        ref = f"crash-{crash_after}"
        before = await everything(conn, settings.home)
        assert (await shop.order(ref, Fuse(left=crash_after)))[0] == 500
        assert await everything(conn, settings.home) == before

        status, body, replayed = await shop.order(ref)
        assert (status, replayed) == (201, False)
        assert await shop.order(ref) == (201, body, True)
    orders = await conn.fetchval("SELECT count(*) FROM bundles")
    assert orders == whole.spent + 1
    charged = await conn.fetchval(
        "SELECT sum(amount - remaining) FROM credit_lots WHERE workspace_id = $1", world.acme
    )
    assert charged == orders * PRICE
    assert [f for f in await examine(conn) if f.contradictions] == []
