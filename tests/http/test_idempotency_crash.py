"""A crash after any statement of a keyed call leaves nothing, and its retry makes one effect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.cast import World
from tests.http.examples import EXAMPLES, _body, path_of, writes
from tests.http.seed import Seed
from tests.http.test_dry_run import everything
from tokportal_server.entry.operations import all_operations
from tokportal_server.http.app import build_app
from tokportal_server.http.registry import Operation
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
        body = json.dumps(ORDER | {"external_ref": ref}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": ref}
        return await self.send("POST", "/api/ext/bundles", headers, body, fuse)

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        fuse: Fuse | None = None,
    ) -> tuple[int, bytes, bool]:
        """Make any call, every statement on the fuse: status, body, replayed."""
        self._database.fuse = fuse or Fuse()
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = self._scope(method, path, headers, body)
        await self._app(scope, receive, send)
        head, *rest = sent
        replayed = (b"idempotent-replayed", b"true") in head["headers"]
        return head["status"], b"".join(part["body"] for part in rest), replayed

    def _scope(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> dict[str, Any]:
        lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if body is not None:
            lines.append((b"content-length", str(len(body)).encode()))
        return {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [*lines, (b"x-api-key", self._key)],
            "state": {},
        }


@pytest.mark.hazard(25)
async def test_a_crash_after_any_statement_leaves_nothing_and_the_retry_makes_one_order(
    ports: Ports, world: World, conn: Connection, settings: Settings
) -> None:
    shop, crash_after = Shop(ports, world), 1
    while True:
        ref, fuse = f"crash-{crash_after}", Fuse(left=crash_after)
        before = await everything(conn, settings.home)
        status, body, replayed = await shop.order(ref, fuse)
        if status == 201:
            # It has fewer statements than that: there was a crash after each of them.
            break
        assert status == 500
        assert await everything(conn, settings.home) == before

        status, body, replayed = await shop.order(ref)
        assert (status, replayed) == (201, False)
        assert await shop.order(ref) == (201, body, True)
        crash_after += 1
    assert crash_after > 10
    orders = await conn.fetchval("SELECT count(*) FROM bundles")
    assert orders == crash_after
    charged = await conn.fetchval(
        "SELECT sum(amount - remaining) FROM credit_lots WHERE workspace_id = $1", world.acme
    )
    assert charged == orders * PRICE
    assert [f for f in await examine(conn) if f.contradictions] == []


def crashable() -> dict[str, Operation]:
    """Give the operations whose whole effect is one transaction, those that delete at the end.

    What acts outside the database has a lease instead, and tests of its own.
    """
    found = {
        name: op
        for name, op in writes().items()
        if not op.effects and EXAMPLES[name].refused_with is None
    }
    return dict(sorted(found.items(), key=lambda item: item[1].method == "DELETE"))


@pytest.mark.hazard(25)
@pytest.mark.proof
async def test_no_operation_leaves_a_trace_of_a_crash_after_any_of_its_statements(
    ports: Ports, world: World, conn: Connection, settings: Settings, seed: Seed
) -> None:
    shop, crashes = Shop(ports, world), 0
    for name, op in crashable().items():
        body, headers = _body(op, EXAMPLES[name], seed, another_body=False)
        path = op.base_path + path_of(name, seed)
        call = (op.method, path, {**headers, "Idempotency-Key": name}, body)
        before = await everything(conn, settings.home)
        fuse = Fuse(left=1)
        while (answer := await shop.send(*call, fuse))[0] == 500:
            assert await everything(conn, settings.home) == before, (name, fuse.left)
            crashes += 1
            fuse = Fuse(left=fuse.spent + 1)
        assert answer[0] == op.status, (name, answer)
        assert await shop.send(*call) == (answer[0], answer[1], True), name
    assert crashes > 300
    assert [f for f in await examine(conn) if f.contradictions] == []
