"""``kill -9`` of API and worker while orders come in: charged is what exists, to the credit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from tests.cast import CREDITS, World, people_the_world
from tests.credits.moves import grant
from tests.entry.installation import Installation, Program, installed_on, kill
from tests.lib.databases import connected
from tests.orders.walk import order
from tokportal_server.lib.clock import real_now
from tokportal_server.workbench.doctor import examine

PRICE = 27
CLIENTS = 8
CHARGED = """
SELECT -sum(amount) FROM credit_entries WHERE workspace_id = $1 AND type = 'debit'
"""


class Shop:
    """A server that is killed and started again while customers order, each order with a key."""

    def __init__(self, installation: Installation, world: World) -> None:
        self._installation = installation
        self._world = world
        self._program: Program | None = None
        self.confirmed = 0
        self.again = 0

    async def open(self) -> None:
        """Start API and worker."""
        self._program = await asyncio.to_thread(self._installation.serve, "--with-worker")

    def crash(self) -> None:
        """Kill every process of the server at once."""
        assert self._program is not None
        kill(self._program.parts())

    async def close(self) -> None:
        """Stop in good order."""
        assert self._program is not None
        assert await asyncio.to_thread(self._program.stop) == 0

    async def sell(self, numbers: Iterator[int]) -> None:
        """Order one after the other until the numbers run out, repeating what is not confirmed."""
        headers = {"X-API-Key": self._world.alice_key}
        async with aiohttp.ClientSession(headers=headers) as session:
            for number in numbers:
                while not await self._ordered(session, f"order-{number}"):
                    self.again += 1
                    await asyncio.sleep(0.05)
                self.confirmed += 1

    async def _ordered(self, session: aiohttp.ClientSession, key: str) -> bool:
        assert self._program is not None
        try:
            async with session.post(
                f"{self._program.address}/api/ext/bundles",
                json=order(1),
                headers={"Idempotency-Key": key},
            ) as reply:
                assert reply.status in {201, 409, 503}, await reply.text()
                return reply.status == 201
        except aiohttp.ClientError:
            return False


@pytest.mark.hazard(31)
@pytest.mark.parametrize(
    ("orders", "kills"),
    [(120, 1), pytest.param(10_000, 10, marks=pytest.mark.proof)],
    ids=["short", "long"],
)
async def test_credits_charged_are_those_of_the_orders_that_exist(
    dsn: str, orders: int, kills: int
) -> None:
    settings = {
        "TOKPORTAL_KEY_BUCKET_CAPACITY": "1000000",
        "TOKPORTAL_CREATE_BUCKET_PER_MINUTE": "1000000",
    }
    async with connected(dsn) as conn:
        world = await people_the_world(conn)
        await grant(conn, world.acme, orders * PRICE, now=real_now())
        with installed_on(dsn, **settings) as installation:
            shop = Shop(installation, world)
            await shop.open()
            numbers = iter(range(orders))
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(shop.sell(numbers))
                for blow in range(1, kills + 1):
                    while shop.confirmed < blow * orders // (kills + 1):  # noqa: ASYNC110 - a count
                        await asyncio.sleep(0.001)
                    shop.crash()
                    await shop.open()
            await shop.close()
        assert shop.again > 0
        assert await conn.fetchval("SELECT count(*) FROM bundles") == orders
        assert await conn.fetchval(CHARGED, world.acme) == orders * PRICE
        left = await conn.fetchval(
            "SELECT sum(remaining) FROM credit_lots WHERE workspace_id = $1", world.acme
        )
        assert left == CREDITS
        assert [f.check.name for f in await examine(conn) if f.contradictions] == []
