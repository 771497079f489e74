"""Servers behind nginx that are simply restarted, without being taken out of its list before."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.cast import World
from tests.conftest import free_port
from tests.credits.moves import grant
from tests.deploy.proxies import Proxy, nginx
from tests.entry.installation import Installation, installed_on
from tests.orders.walk import order
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection

BUNDLES = "SELECT count(*) FROM bundles"
CALLERS = 3


@pytest.fixture
def servers(dsn: str) -> Iterator[list[Installation]]:
    """Two servers on one database."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                installed_on(
                    dsn,
                    TOKPORTAL_VAULT_KEY="5c" * 32,
                    TOKPORTAL_KEY_BUCKET_CAPACITY="1000000",
                    TOKPORTAL_CREATE_BUCKET_PER_MINUTE="1000000",
                )
            )
            for _ in range(2)
        ]


@dataclass
class Caller:
    """Somebody who reads and orders, and sends an order again that got no answer of the server."""

    proxy: Proxy
    key: str
    name: int
    done: asyncio.Event
    reads: Counter[int] = field(default_factory=Counter)
    orders: Counter[int] = field(default_factory=Counter)

    async def call(self) -> None:
        """Go on until told to stop."""
        url = f"{self.proxy.address}/api/ext"
        headers = {"X-API-Key": self.key}
        connector = aiohttp.TCPConnector(ssl=self.proxy.trust)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
            for number in range(1_000_000):
                if self.done.is_set():
                    return
                async with http.get(f"{url}/me") as answer:
                    self.reads[answer.status] += 1
                again = {"Idempotency-Key": f"{self.name} {number}"}
                while True:
                    async with http.post(f"{url}/bundles", json=order(0), headers=again) as answer:
                        self.orders[answer.status] += 1
                    if answer.status == 201:
                        break
                    assert answer.status in {502, 504}, answer.status
                    await asyncio.sleep(0.05)


@pytest.mark.proof
async def test_readers_notice_nothing_and_orders_that_are_repeated_are_made_once(
    servers: list[Installation], world: World, conn: Connection
) -> None:
    await grant(conn, world.acme, 1_000_000, now=real_now(), source="grant")
    programs = [await asyncio.to_thread(server.serve) for server in servers]
    ports = [int(program.address.rpartition(":")[2]) for program in programs]
    done = asyncio.Event()
    with nginx(free_port(), ports) as proxy:
        callers = [Caller(proxy, world.alice_key, number, done) for number in range(CALLERS)]
        calling = [asyncio.create_task(caller.call()) for caller in callers]
        for number, server in enumerate(servers):
            assert await asyncio.to_thread(programs[number].stop) == 0
            programs[number] = await asyncio.to_thread(server.serve)
        done.set()
        await asyncio.gather(*calling)
    reads = sum((caller.reads for caller in callers), Counter[int]())
    orders = sum((caller.orders for caller in callers), Counter[int]())
    assert set(reads) == {200}, reads
    assert await conn.fetchval(BUNDLES) == orders[201]
