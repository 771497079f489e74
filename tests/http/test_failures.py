"""The database is away or busy: 503 with Retry-After, and all is well again afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
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
        while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
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
    assert (await alice.post("/bundles", ORDER)).status == 201


async def _end_all_others(conn: Connection) -> None:
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def test_a_database_that_takes_nobody_in_is_a_503_until_it_does_again(
    alice: Client, conn: Connection, dsn: str
) -> None:
    name = await conn.fetchval("SELECT current_database()")
    elsewhere = await asyncpg.connect(dsn.replace(f"/{name}?", "/postgres?"))
    await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await _end_all_others(conn)
    for path in ("/me", "/countries"):
        check_unavailable(await alice.get(path))
    check_unavailable(await alice.post("/bundles", ORDER))
    await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await elsewhere.close()
    assert (await alice.get("/me")).status == 200
