"""Many processes on one wallet: emptied to the credit, and books that are right after anything."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import asyncpg
import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.credits.moves import debit, empty_workspace, grant, refund
from tests.lib.databases import connected
from tests.orders.walk import order
from tests.workbench.office import Office
from tokportal_server.credits.lapses import settle_lots
from tokportal_server.credits.ledger import InsufficientCreditsError, spendable
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workbench.doctor import examine

START = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRICE = 7


def spend_all(dsn: str, workspace: UUID) -> tuple[int, int]:
    """Debit until refused, in a process of its own; give how often, and what the refusal saw."""

    async def spend() -> tuple[int, int]:
        count = 0
        async with connected(dsn) as conn:
            while True:
                try:
                    await debit(conn, workspace, PRICE, now=START)
                except InsufficientCreditsError as refusal:
                    return count, refusal.details["available"]
                count += 1

    return asyncio.run(spend())


@pytest.mark.hazard(28)
@pytest.mark.parametrize(
    ("processes", "lots"),
    [(4, 6), pytest.param(16, 60, marks=pytest.mark.proof)],
    ids=["short", "long"],
)
async def test_processes_empty_a_wallet_and_nobody_is_refused_while_a_price_is_left(
    dsn: str, conn: Connection, processes: int, lots: int
) -> None:
    workspace, held = await empty_workspace(conn), 0
    for number in range(lots):
        ends = None if number % 3 else START + (number + 1) * HOUR
        held = await grant(conn, workspace, 50 + number, now=START, expires_at=ends)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        loop = asyncio.get_running_loop()
        spend = partial(spend_all, dsn, workspace)
        results = await asyncio.gather(
            *(loop.run_in_executor(pool, spend) for _ in range(processes))
        )
    assert sum(count for count, _ in results) == held // PRICE
    assert {available for _, available in results} == {held % PRICE}
    assert await spendable(conn, workspace, START) == held % PRICE
    assert [f for f in await examine(conn) if f.contradictions] == []


async def live(dsn: str, workspace: UUID, seed: int, hours: list[int], writes: int) -> None:
    """Write at random with a connection of one's own, while all together move the time on."""
    choose = random.Random(seed)
    debits: list[tuple[UUID, int]] = []
    conn = await asyncpg.connect(dsn)
    await prepare_connection(conn)
    for _ in range(writes):
        hours[0] += 1
        # Now and then a client is late with what it read from the clock.
        now = START + hours[0] * HOUR - choose.choice([0, 0, 0, 1, 2, 30]) * HOUR
        amount = choose.randint(1, 12)
        match choose.choice(["grant", "debit", "debit", "refund", "expire"]):
            case "grant":
                ends = choose.choice([None, now + choose.randint(1, 200) * HOUR])
                await grant(conn, workspace, amount, now=now, expires_at=ends)
            case "debit":
                try:
                    debits.append((await debit(conn, workspace, amount, now=now), amount))
                except InsufficientCreditsError:
                    continue
            case "refund" if debits:
                entry, paid = debits.pop(choose.randrange(len(debits)))
                await refund(conn, workspace, entry, choose.randint(1, paid), now=now)
            case "expire":
                async with unit_of_work(conn, workspace, now=now) as tx:
                    await settle_lots(tx)
    await conn.close()


@pytest.mark.parametrize(
    "writes", [8, pytest.param(100, marks=pytest.mark.proof)], ids=["short", "long"]
)
async def test_fifty_clients_leave_books_that_the_doctor_finds_right(
    dsn: str, conn: Connection, writes: int
) -> None:
    workspaces = [await empty_workspace(conn) for _ in range(2)]
    for workspace in workspaces:
        await grant(conn, workspace, 100, now=START, expires_at=START + 24 * HOUR)
    hours = [0]
    await asyncio.gather(
        *(live(dsn, workspaces[seed % 2], seed, hours, writes) for seed in range(50))
    )
    kinds = await conn.fetch("SELECT DISTINCT type FROM credit_entries")
    assert {row["type"] for row in kinds} == {"credit", "debit", "refund", "expiry"}
    assert await conn.fetchval("SELECT min(balance_after) FROM credit_entries") >= 0
    assert [f for f in await examine(conn) if f.contradictions] == []


async def test_orders_and_their_cancellation_at_once_end_where_they_began(
    alice: Client, conn: Connection, dsn: str, world: World, ports: Ports
) -> None:
    placed: asyncio.Queue[str | None] = asyncio.Queue()

    async def buy() -> None:
        for _ in range(4):
            reply = await alice.post("/bundles", order(2, edits_quantity=1))
            assert reply.status == 201
            placed.put_nowait(reply.data["id"])

    async def cancel() -> None:
        async with connected(dsn) as mine:
            office = Office(mine, world, ports)
            while (bundle_id := await placed.get()) is not None:
                await office.cancel_slot(bundle_id, 1)
                await office.cancel(bundle_id)

    cancelling = [asyncio.create_task(cancel()) for _ in range(3)]
    await asyncio.gather(*(buy() for _ in range(4)))
    for _ in cancelling:
        placed.put_nowait(None)
    await asyncio.gather(*cancelling)
    assert await spendable(conn, world.acme, real_now()) == CREDITS
    assert await conn.fetchval("SELECT count(*) FROM bundles WHERE status = 'cancelled'") == 16
    assert [f for f in await examine(conn) if f.contradictions] == []
