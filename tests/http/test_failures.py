"""The database is away or busy: 503 with Retry-After, and all is well again afterwards."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.conftest import serving
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

ORDER = {"bundle_type": "account_only", "country": "USA"}


@pytest.fixture
async def narrow(settings: Settings, world: World) -> AsyncIterator[Client]:
    """Alice at a server with a single database connection."""
    async with (
        serving(msgspec.structs.replace(settings, pool_size=1)) as address,
        Client(address, world.alice_key) as client,
    ):
        yield client


def check_unavailable(reply: Reply) -> None:
    """Fail unless it is the 503 that says when to come back."""
    assert (reply.status, reply.code) == (503, "SERVICE_UNAVAILABLE")
    assert int(reply.headers["Retry-After"]) == reply.details["retry_after_seconds"] >= 1


async def test_a_request_that_finds_no_connection_is_refused_and_not_queued_for_ever(
    narrow: Client, conn: Connection
) -> None:
    async with conn.transaction():
        await conn.execute("LOCK TABLE wallets")
        holding = asyncio.create_task(narrow.post("/bundles", ORDER))
        await _somebody_waits(conn)
        began = time.monotonic()
        reply = await narrow.get("/countries")
        waited = time.monotonic() - began
    check_unavailable(reply)
    assert waited < 20
    assert (await holding).status == 201
    assert (await narrow.get("/countries")).status == 200


async def _somebody_waits(conn: Connection) -> None:
    async with asyncio.timeout(20):
        # The database's locks are nothing that a test could be told of.
        while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_connections_that_die_idle_are_replaced(alice: Client, conn: Connection) -> None:
    await alice.get("/me")
    await _end_all_others(conn)
    statuses = {(await alice.get("/me")).status for _ in range(20)}
    assert statuses <= {200, 503}
    assert (await alice.get("/me")).status == 200


async def test_a_write_whose_connection_dies_is_a_503_and_left_nothing(
    alice: Client, conn: Connection
) -> None:
    async with conn.transaction():
        await conn.execute("LOCK TABLE wallets")
        dying = asyncio.create_task(alice.post("/bundles", ORDER))
        await _somebody_waits(conn)
        await _end_all_others(conn)
        check_unavailable(await dying)
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 0
    # The pool's other connections were ended too, and the server may not have noticed each yet.
    async with asyncio.timeout(20):
        while (answer := await alice.post("/bundles", ORDER)).status == 503:
            assert await conn.fetchval("SELECT count(*) FROM bundles") == 0
    assert answer.status == 201


async def _end_all_others(conn: Connection) -> None:
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


class Relay:
    """Stands between server and database, and can go away as a whole."""

    def __init__(self, dsn: str, directory: Path) -> None:
        address, _, options = dsn.partition("?")
        self._upstream = f"{parse_qs(options)['host'][0]}/.s.PGSQL.5432"
        self._path = directory / ".s.PGSQL.5432"
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.dsn = f"{address}?host={directory}&port=5432"

    async def open(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_unix_server(self._pass, self._path)

    async def close(self) -> None:
        """Cut every connection, and take no other."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._path.unlink()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, onward = await asyncio.open_unix_connection(self._upstream)
        self._writers += [writer, onward]
        with suppress(ConnectionError):
            await asyncio.gather(self._copy(reader, onward), self._copy(upstream, writer))

    @staticmethod
    async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()


async def test_a_database_that_is_away_is_a_503_until_it_is_back(
    settings: Settings, world: World
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        relay = Relay(settings.database_url or "", Path(directory))
        await relay.open()
        settings = msgspec.structs.replace(settings, database_url=relay.dsn)
        async with serving(settings) as address, Client(address, world.alice_key) as alice:
            assert (await alice.get("/me")).status == 200
            await relay.close()
            for path in ("/me", "/countries", "/me"):
                check_unavailable(await alice.get(path))
            check_unavailable(await alice.post("/bundles", ORDER))
            await relay.open()
            assert (await alice.get("/me")).status == 200
            assert (await alice.post("/bundles", ORDER)).status == 201
            await relay.close()
