"""``kill -9`` in the middle of an erasing: the next worker goes on, and nothing contradicts."""

from __future__ import annotations

import asyncio

from tests.cast import people_the_world
from tests.client import Client
from tests.entry.installation import installed_on, kill
from tests.lib.databases import connected
from tests.lib.waiting import until_blocked, until_found
from tests.orders.walk import ordered
from tests.privacy.filling import finish
from tests.privacy.planting import empty_tables
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations.erase_workspace import begin_erasing
from tokportal_server.workspaces.holdings import HOLDINGS

ORDERS = 3
SETTLING = "SELECT state = 'settling' FROM erasures WHERE subject_id = $1"
ERASED = "SELECT rows FROM erasures WHERE subject_id = $1"


async def test_a_worker_that_was_killed_while_it_erased_leaves_the_rest_to_the_next(
    dsn: str,
) -> None:
    async with connected(dsn) as conn:
        world = await people_the_world(conn)
        with installed_on(dsn) as installation:
            program = await asyncio.to_thread(installation.serve)
            async with Client(program.address, world.alice_key) as alice:
                for _ in range(ORDERS):
                    await ordered(alice)
            assert await asyncio.to_thread(program.stop) == 0
            await finish(conn, world.acme)
            async with conn.transaction():
                # The erasing comes as far as these orders, and stands still with part of it done.
                await conn.execute("SELECT FROM bundles FOR UPDATE")
                async with connected(dsn) as other:
                    await begin_erasing(
                        conn=other,
                        actor=world.as_olga,
                        workspace_id=world.acme,
                        name="Acme",
                        reason="They asked for it.",
                    )
                worker = installation.start("worker")
                ended = asyncio.create_task(asyncio.to_thread(worker.wait))
                await until_blocked(conn, ended)
                kill(worker.parts())
                await ended
                gone = await conn.fetchval(ERASED, world.acme)
                assert gone > 0
                assert await conn.fetchval("SELECT count(*) FROM bundles") == ORDERS
            worker = installation.start("worker")
            await until_found(conn, SETTLING, world.acme)
            assert await asyncio.to_thread(worker.stop) == 0
        assert await conn.fetchval(ERASED, world.acme) > gone
        kept = {one.table for one in HOLDINGS if one.kept}
        assert {one.table for one in HOLDINGS} - await empty_tables(conn, world.acme) <= kept
        assert [f.check.name for f in await examine(conn) if f.contradictions] == []
