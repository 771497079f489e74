"""Many connections on one wallet at once (hazards 28 and 30)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.credits.moves import debit, empty_workspace, grant
from tests.orders.walk import order
from tokportal_server.credits.ledger import InsufficientCreditsError, spendable
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.workbench.doctor import examine

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@asynccontextmanager
async def _connections(dsn: str, count: int) -> AsyncIterator[list[Connection]]:
    async with AsyncExitStack() as stack:
        opened: list[Connection] = []
        for _ in range(count):
            connection = await asyncpg.connect(dsn)
            stack.push_async_callback(connection.close)
            await prepare_connection(connection)
            opened.append(connection)
        yield opened


async def _spend_all(conn: Connection, workspace: UUID, price: int) -> tuple[int, int]:
    """Debit until refused; give how often it went well, and what the refusal saw."""
    count = 0
    while True:
        try:
            await debit(conn, workspace, price, now=START)
        except InsufficientCreditsError as refusal:
            return count, refusal.details["available"]
        count += 1


@pytest.mark.hazard(28)
async def test_sixteen_clients_empty_a_wallet_to_the_credit(dsn: str, conn: Connection) -> None:
    workspace = await empty_workspace(conn)
    price, held = 7, 0
    for amount, days in ((300, None), (90, 1), (90, 1), (123, 9)):
        ends = None if days is None else START + days * DAY
        held = await grant(conn, workspace, amount, now=START, expires_at=ends)
    async with _connections(dsn, 16) as clients:
        results = await asyncio.gather(*(_spend_all(c, workspace, price) for c in clients))
    assert sum(count for count, _ in results) == held // price
    # A refusal while a whole price is left would be a false one.
    assert {available for _, available in results} == {held % price}
    assert await spendable(conn, workspace, START) == held % price
    assert [f for f in await examine(conn) if f.contradictions] == []


@pytest.mark.hazard(30)
async def test_credits_are_spent_or_expired_and_never_both(dsn: str, conn: Connection) -> None:
    async with _connections(dsn, 4) as clients:
        spent = 0
        for _ in range(25):
            workspace = await empty_workspace(conn)
            ends = START + DAY
            await grant(conn, workspace, 10, now=START, expires_at=ends)
            instants = (ends - INSTANT, ends, ends - INSTANT, ends)
            results = await asyncio.gather(
                *(
                    debit(client, workspace, 10, now=instant)
                    for client, instant in zip(clients, instants, strict=True)
                ),
                return_exceptions=True,
            )
            refusals = [r for r in results if isinstance(r, BaseException)]
            assert {type(r) for r in refusals} == {InsufficientCreditsError}
            # At the instant of expiry the lot is gone.
            assert isinstance(results[1], InsufficientCreditsError)
            assert isinstance(results[3], InsufficientCreditsError)
            assert len(refusals) in {3, 4}
            spent += 4 - len(refusals)
            await grant(conn, workspace, 1, now=ends)
            gone = await conn.fetch(
                "SELECT type, amount FROM credit_entries"
                " WHERE workspace_id = $1 AND type <> 'credit'",
                workspace,
            )
            expected = ("expiry" if len(refusals) == 4 else "debit", -10)
            assert [tuple(row) for row in gone] == [expected]
    assert spent
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_eight_orders_at_once_with_credits_for_three(
    alice: Client, world: World, conn: Connection
) -> None:
    await debit(conn, world.acme, CREDITS - 3 * 29, now=real_now())
    replies = await asyncio.gather(*(alice.post("/bundles", order()) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [201] * 3 + [402] * 5
    assert (await alice.get("/credits/balance")).data["credits"] == 0
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 3
    assert [f for f in await examine(conn) if f.contradictions] == []
