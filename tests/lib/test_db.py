"""The pool: one connection at a time, refused when none is free, and never handed on dirty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tests.faults.proxy import proxying, through
from tests.orders.walk import PROFILE, order, video
from tokportal_server.lib.db import (
    CONNECT_SECONDS,
    UNAVAILABLE,
    Connection,
    Database,
    ServiceUnavailableError,
    existing,
    is_lost,
    prepare_connection,
)
from tokportal_server.lib.settings import Settings

# The server's farewell, or what asyncpg says once the pool has heard it and taken it back.
LOST = (*UNAVAILABLE, asyncpg.InterfaceError)


@pytest.fixture
async def small(dsn: str) -> AsyncIterator[Database]:
    """A pool of two connections that gives up at once."""
    pool = await asyncpg.create_pool(dsn, min_size=0, max_size=2, init=prepare_connection)
    opened = Database(pool, acquire_seconds=0.05)
    yield opened
    await opened.close()


async def test_refuses_when_every_connection_is_busy(small: Database) -> None:
    async with small.connection(), small.connection():
        with pytest.raises(ServiceUnavailableError, match="busy") as refusal:
            async with small.connection():
                raise AssertionError
    assert refusal.value.status == 503
    assert refusal.value.details["retry_after_seconds"] >= 1
    async with small.connection() as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_refuses_when_the_server_is_away(home: Path) -> None:
    pool = asyncpg.create_pool(f"postgresql://u:p@/x?host={home}", min_size=0, max_size=1)
    async with pool:
        database = Database(pool)
        with pytest.raises(ServiceUnavailableError, match="does not answer"):
            async with database.connection():
                raise AssertionError


async def test_a_lost_connection_is_replaced(small: Database, conn: Connection) -> None:
    async with small.connection() as lent:
        backend = await lent.fetchval("SELECT pg_backend_pid()")
        await conn.fetchval("SELECT pg_terminate_backend($1, 5000)", backend)
        with pytest.raises(LOST):
            await lent.fetchval("SELECT 1")
        assert is_lost(lent)
    async with small.connection() as lent:
        assert await lent.fetchval("SELECT pg_backend_pid()") != backend


async def test_using_a_connection_that_was_lost_is_the_servers_fault(
    small: Database, conn: Connection
) -> None:
    async def borrow() -> None:
        async with small.connection() as lent:
            backend = await lent.fetchval("SELECT pg_backend_pid()")
            await conn.fetchval("SELECT pg_terminate_backend($1, 5000)", backend)
            with pytest.raises(LOST):
                await lent.fetchval("SELECT 1")
            await lent.fetchval("SELECT 1")

    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        await borrow()


@pytest.mark.parametrize(
    ("statement", "arguments"), [("SELECT $1::int", (1, 2)), ("SELECT $1::int", ("one",))]
)
async def test_a_misuse_of_a_connection_is_a_bug_and_not_an_outage(
    small: Database, statement: str, arguments: tuple[object, ...]
) -> None:
    with pytest.raises((asyncpg.InterfaceError, asyncpg.DataError)) as mistake:
        async with small.connection() as lent:
            await lent.fetchval(statement, *arguments)
    assert not isinstance(mistake.value, UNAVAILABLE)


async def test_what_the_database_gave_up_may_be_tried_again(small: Database) -> None:
    async with small.connection() as lent:
        await lent.execute("SET statement_timeout = '10ms'")
        with pytest.raises(asyncpg.QueryCanceledError) as given_up:
            await lent.execute("SELECT pg_sleep(20)")
        assert not is_lost(lent)
    assert isinstance(given_up.value, UNAVAILABLE)


@pytest.mark.filterwarnings("ignore:Resetting connection")
async def test_a_transaction_does_not_outlive_its_borrower(settings: Settings) -> None:
    database = await Database.open(settings.database_url or "", size=1)
    try:
        async with database.connection() as conn:
            # Not even one that was opened past every context manager.
            await conn.execute("BEGIN")
            await conn.execute("CREATE TABLE left_over ()")
        async with database.connection() as conn:
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT to_regclass('left_over')") is None
    finally:
        await database.close()


async def test_a_cancelled_borrower_gives_its_connection_back_clean(settings: Settings) -> None:
    database = await Database.open(settings.database_url or "", size=1)
    reached = asyncio.Event()

    async def borrow() -> None:
        async with database.connection() as conn, conn.transaction():
            await conn.execute("CREATE TABLE left_over ()")
            reached.set()
            await conn.fetchval("SELECT pg_sleep(60)")

    try:
        task = asyncio.create_task(borrow())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.connection() as conn:
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT to_regclass('left_over')") is None
    finally:
        await database.close()


async def test_every_session_has_its_limits_and_counts_in_utc(database: Database) -> None:
    async with database.connection() as conn:
        values = {
            name: await conn.fetchval("SELECT current_setting($1)", name)
            for name in (
                "TimeZone",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "application_name",
            )
        }
    assert values == {
        "TimeZone": "UTC",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "application_name": "tokportal-server",
    }


async def test_behind_a_pooler_nothing_is_asked_of_the_session(settings: Settings) -> None:
    database = await Database.open(settings.database_url or "", size=1, pooler="transaction")
    try:
        async with database.connection() as conn:
            assert await conn.fetchval("SELECT current_setting('application_name')") == ""
            assert await conn.fetchval("SELECT $1::jsonb", {"a": 1}) == {"a": 1}
            # A prepared statement would be gone with the next server connection.
            assert await conn.fetchval("SELECT count(*) FROM pg_prepared_statements") <= 1
    finally:
        await database.close()


async def test_json_columns_are_values(database: Database) -> None:
    value = {"text": "ü\u2028", "list": [1, None, True], "deep": {"x": 1.5}}
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT $1::jsonb", value) == value
        assert await conn.fetchval("SELECT $1::json", [value]) == [value]


def test_a_row_that_must_exist_and_does_not_is_a_bug() -> None:
    with pytest.raises(LookupError):
        existing(None)


async def test_no_request_takes_a_second_connection(settings: Settings, world: World) -> None:
    """With a pool of one, a handler that took another while holding it would never finish."""
    settings = msgspec.structs.replace(settings, pool_size=1)
    async with serving(settings) as address, Client(address, world.alice_key) as alice:

        async def walk(number: int) -> list[int]:
            key = {"Idempotency-Key": f"order-{number}"}
            made = await alice.post("/bundles", order(), headers=key)
            bundle = f"/bundles/{made.data['id']}"
            replies = [
                made,
                await alice.post("/bundles", order(), headers=key),
                await alice.post("/bundles", order(), headers={"X-TokPortal-Dry-Run": "true"}),
                await alice.put(f"{bundle}/account", PROFILE),
                await alice.put(f"{bundle}/videos/1", video()),
                await alice.get(f"{bundle}/publish-readiness"),
                await alice.post(f"{bundle}/publish"),
                await alice.get(f"{bundle}/videos"),
                await alice.get("/credits/history"),
                await alice.get("/me"),
            ]
            return [reply.status for reply in replies]

        walks = await asyncio.gather(*(walk(number) for number in range(4)))
    for statuses in walks:
        assert {status // 100 for status in statuses} == {2}


async def test_a_start_outlasts_a_database_that_is_slow_to_let_it_in(dsn: str) -> None:
    async with proxying(dsn) as proxy:
        proxy.flowing.clear()
        opening = asyncio.create_task(Database.open(through(dsn, proxy.port), size=2))
        await asyncio.sleep(CONNECT_SECONDS + 0.5)
        assert not opening.done()
        proxy.flowing.set()
        database = await opening
        async with database.connection() as conn:
            assert await conn.fetchval("SELECT 1") == 1
        await database.close()
