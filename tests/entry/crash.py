"""Everything is killed at one moment of an order's walk, started again, and the books are read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tokportal import TokPortal

from tests.cast import people_the_world
from tests.conftest import free_port
from tests.entry.installation import Installation, Program, installed, kill
from tests.entry.walker import STEPS, Walker
from tests.lib.databases import connected
from tests.lib.waiting import SAFETY_NET, until_blocked
from tokportal_server.entry.demo.receiver import Receiver, receiving
from tokportal_server.entry.demo.walk import EVENTS
from tokportal_server.lib import embedded
from tokportal_server.lib.embedded import postmaster
from tokportal_server.lib.embedded.account import account_for
from tokportal_server.workbench.doctor import examine

# What half a minute of waiting does.
LAPSE = """
UPDATE webhook_deliveries SET lease_until = now()
 WHERE status = 'pending' AND lease_token IS NOT NULL;
UPDATE idempotency_keys SET lease_until = now(), expires_at = now() WHERE lease_token IS NOT NULL;
"""


@dataclass(frozen=True)
class Moment:
    """When everything is killed: once ``step`` was answered, or while it waits for a row.

    ``holding`` locks the row, so that the step's transaction is open when the kill comes.
    """

    step: str
    holding: str | None = None


@dataclass
class Scene:
    """A running installation with its database, a customer's program and a webhook receiver."""

    installation: Installation
    program: Program
    walker: Walker
    receiver: Receiver
    database_url: str

    async def walk(self, moment: Moment, *, postgres_too: bool, leases_lapse: bool) -> None:
        """Take every step; the one of the moment is broken off or answered, and then repeated."""
        for step in STEPS:
            if step == moment.step:
                await self._take_and_crash(moment, postgres_too=postgres_too)
                if leases_lapse:
                    async with connected(self.database_url) as conn:
                        await conn.execute(LAPSE)
            await asyncio.to_thread(self.walker.take, step)

    async def _take_and_crash(self, moment: Moment, *, postgres_too: bool) -> None:
        if moment.holding is None:
            await asyncio.to_thread(self.walker.take, moment.step)
            self._crash(postgres_too=postgres_too)
        else:
            async with connected(self.database_url) as conn:
                async with conn.transaction():
                    await conn.execute(moment.holding)
                    call = asyncio.create_task(
                        asyncio.to_thread(self.walker.take, moment.step, patience=0)
                    )
                    await until_blocked(conn, call)
                    self._crash(postgres_too=False)
                assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], OSError)
        arguments = ("--with-worker",)
        self.program = await asyncio.to_thread(self.installation.serve, *arguments)

    def _crash(self, *, postgres_too: bool) -> None:
        doomed = self.program.parts()
        if postgres_too:
            data = self.installation.home / "postgres" / "data"
            doomed += postmaster.family(data, account_for(data)).values()
        kill(doomed)

    async def check_the_books(self) -> None:
        """Assert that everything happened exactly once."""
        await self._every_event_arrived()
        assert Counter(self.receiver.types()) == Counter(EVENTS)
        assert self.receiver.refused == 0
        assert len(set(self.walker.answers)) == 1
        async with connected(self.database_url) as conn:
            assert [f.check.name for f in await examine(conn) if f.contradictions] == []
            debits = await conn.fetch("SELECT amount FROM credit_entries WHERE type = 'debit'")
            assert [entry["amount"] for entry in debits] == [-29]
            assert await conn.fetchval("SELECT array_agg(status) FROM bundles") == ["completed"]
            for table in ("claims", "saved_accounts", "uploads"):
                assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 1, table

    async def _every_event_arrived(self) -> None:
        deadline = time.monotonic() + SAFETY_NET
        while len(self.receiver.types()) < len(EVENTS):
            assert time.monotonic() < deadline, self.receiver.types()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def staged(folder: Path, database_url: str | None = None) -> AsyncIterator[Scene]:
    """Set the scene, on the given database or on an embedded one; stop it in good order after."""
    port, hook = free_port(), free_port()
    settings = {
        "TOKPORTAL_PORT": str(port),
        "TOKPORTAL_LOG_LEVEL": "warning",
        "TOKPORTAL_KEY_BUCKET_CAPACITY": "100000",
        "TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK": "true",
        "TOKPORTAL_WEBHOOKS_ALLOWED_PORTS": str(hook),
    }
    if database_url is not None:
        settings["TOKPORTAL_DATABASE_URL"] = database_url
    with installed(**settings) as installation:
        async with receiving(hook) as receiver:
            program = await asyncio.to_thread(installation.serve, "--with-worker")
            if database_url is None:
                database_url = embedded.start(installation.home).dsn()
            address = f"http://127.0.0.1:{port}"
            walker = Walker(TokPortal("nobody", f"{address}/api/ext"), address, folder)
            scene = Scene(installation, program, walker, receiver, database_url)
            async with connected(scene.database_url) as conn:
                world = await people_the_world(conn, rehearsal=True)
            walker.client.api_key = world.alice_key
            receiver.secret = await asyncio.to_thread(
                walker.subscribe, f"http://127.0.0.1:{hook}/hook", EVENTS
            )
            yield scene
            assert await asyncio.to_thread(scene.program.stop) == 0
