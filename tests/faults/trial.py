"""A trial: load, blows, peace, and the audit.

1. Set the scene; make rehearsals with customers, a moved clock, and one connected account.
2. Let customers work, and blows fall one round after the other; after each, wait until all is well.
3. Heal everything; let the customers finish what they began, and time pass until it is completed.
4. Wait until events, deliveries and jobs are done, and read the books.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from tests.analytics.providers.connecting import connected
from tests.cast import give_credits, people_the_world
from tests.faults.blows import KINDS, Blow
from tests.faults.books import UNDER_WAY, UNTOLD, audit, is_told
from tests.faults.calls import Call, Caller, GaveUpError
from tests.faults.customers import API, Customer, Workspace
from tests.faults.outside import Inbox, world_outside
from tests.faults.plan import Round, drawn
from tests.faults.promises import Promises
from tests.faults.report import Report, Struck
from tests.faults.scene import Scene, chance_of, staged
from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.settings import Settings
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.webhooks.catalogue import CATALOGUE
from tokportal_server.workspaces.operations.api_keys import create_api_key

_CREDITS: Final = 10_000_000
_RECOVERY_SECONDS: Final = 120.0
_SETTLING_SECONDS: Final = 600.0
REFRESH: Final = """
UPDATE analytics_refreshes SET due_at = now() WHERE lease_until IS NULL OR lease_until < now()
"""
UNDER_WAY_COUNT: Final = "SELECT count(*) FROM bundles WHERE status = ANY ($1)"
# Jobs, and deliveries to those who are well.
WAITING: Final = """
SELECT (SELECT count(*) FROM pgqueuer WHERE status IN ('queued', 'picked'))
     + (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'
                                                  AND url LIKE '%-healthy')
"""
COUNTS: Final = {
    "orders": "SELECT count(*) FROM bundles",
    "orders completed": "SELECT count(*) FROM bundles WHERE status = 'completed'",
    "events": "SELECT count(*) FROM events",
    "uploads": "SELECT count(*) FROM uploads",
    "entries of the ledger": "SELECT count(*) FROM credit_entries",
    "deliveries recorded": "SELECT count(*) FROM webhook_deliveries",
    "refreshes of the connected account": "SELECT count(*) FROM account_snapshots",
}


@dataclass(frozen=True)
class Scale:
    """How much there is of everything; ``pace`` is what the times of blows are multiplied by."""

    workspaces: int = 3
    customers: int = 3
    api_workers: int = 2
    pace: float = 1.0


SHORT: Final = Scale(workspaces=1, customers=3, api_workers=1, pace=0.2)
LONG: Final = Scale()


@dataclass
class Trial:
    """One trial under way."""

    scene: Scene
    scale: Scale
    kinds: list[str]
    report: Report
    chance: random.Random
    folder: Path
    workspaces: list[Workspace] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    began: float = 0.0

    # Before.

    async def set_up(self) -> None:
        """Make the workspaces with their customers, and an account that a platform is asked for."""
        settings = Settings(home=self.scene.home, database_url=self.scene.dsn)
        async with self.scene.connected() as conn, open_ports(settings) as ports:
            world = await people_the_world(conn)
            await connected(conn, world, ports)
            for number in range(1, self.scale.workspaces + 1):
                name = f"w{number}"
                workspace_id = await create_rehearsal(
                    conn=conn, name=name, owner_id=world.alice, plan="starter"
                )
                await give_credits(conn, workspace_id, _CREDITS)
                _, key = await create_api_key(
                    conn=conn, workspace_id=workspace_id, person_id=world.alice, name="trial"
                )
                self.workspaces.append(self._workspace(name, workspace_id, key))
        for workspace in self.workspaces:
            for number in range(self.scale.customers + 1):
                self._hire(workspace, number)
            await self._subscribe(workspace)

    def _workspace(self, name: str, workspace_id: UUID, key: str) -> Workspace:
        outside = self.scene.outside
        return Workspace(
            workspace_id,
            name,
            key,
            Promises(self.folder / f"promises-{name}.jsonl"),
            hooks=f"{outside.url}/hooks",
            media_host=f"{outside.url}/media/{name}",
            sample=outside.sample,
        )

    def _hire(self, workspace: Workspace, number: int) -> None:
        chance = chance_of(self.report.seed, workspace.name, number)
        addresses = [server.address for server in self.scene.servers]
        caller = Caller(addresses, workspace.api_key, workspace.promises, chance)
        self.callers.append(caller)
        self.customers.append(Customer(workspace, number, caller, chance))

    async def _subscribe(self, workspace: Workspace) -> None:
        """Have every event told to two endpoints, one of which will be ill at times."""
        caller = self.callers[-1]
        types = sorted(one.type for one in CATALOGUE if one.emitted and is_told(one.type))
        for state in ("healthy", "troubled"):
            name = f"{workspace.name}-{state}"
            inbox = self.scene.outside.inboxes[name] = Inbox()
            url = f"{workspace.hooks}/{name}"
            body = {"url": url, "events": types}
            call = Call("POST", f"{API}/webhooks", key=name, json=body)
            answer = await caller.until_answered(call)
            inbox.secret = answer.data["signing_secret"]
            workspace.promises.endpoints[answer.data["id"]] = url

    async def close(self) -> None:
        """Hang up."""
        for caller in self.callers:
            await caller.close()
        for workspace in self.workspaces:
            workspace.promises.close()

    # Under fire.

    async def under_fire(self, rounds: Iterator[Round], seconds: float) -> None:
        """Let everybody work for so long while the blows fall."""
        over = asyncio.Event()
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for customer in self.customers:
                # The last one of each workspace moves the clock.
                if customer.number == self.scale.customers:
                    group.create_task(self._move(customer, over))
                else:
                    group.create_task(customer.live(over))
            refreshing = group.create_task(self._keep_refreshing())
            await self._strike(rounds, seconds)
            over.set()
            refreshing.cancel()
        self.report.seconds = time.monotonic() - self.began

    async def _move(self, customer: Customer, over: asyncio.Event) -> None:
        while not over.is_set():
            await customer.move(round(self.chance.uniform(6, 36), 1))
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), self.chance.uniform(4, 10))

    async def _keep_refreshing(self) -> None:
        """Have the connected account's numbers be due again and again."""
        while True:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with self.scene.connected() as conn:
                    await conn.execute(REFRESH)
            await asyncio.sleep(3)

    async def _strike(self, rounds: Iterator[Round], seconds: float) -> None:
        until = self.began + seconds
        for one in rounds:
            if time.monotonic() + one.pause > until:
                await asyncio.sleep(max(0.0, until - time.monotonic()))
                return
            await asyncio.sleep(one.pause)
            at = time.monotonic()
            outcomes = await asyncio.gather(*map(self._hit, one.blows), return_exceptions=True)
            for blow, outcome in zip(one.blows, outcomes, strict=True):
                if isinstance(outcome, BaseException):
                    self.report.failures.append(f"{blow.kind}: {outcome!r}")
            ended = time.monotonic()
            recovered, ailment = await self._recovery()
            self.report.struck += [
                Struck(
                    blow.kind, round(at - self.began, 1), round(ended - at, 1), recovered, ailment
                )
                for blow in one.blows
            ]
            if recovered is None:
                return

    async def _hit(self, blow: Blow) -> None:
        await KINDS[blow.kind].strike(self.scene, blow)

    async def _recovery(self) -> tuple[float | None, str | None]:
        """Wait until all is well; give the seconds that took, None if too long, and the reason."""
        ended, last = time.monotonic(), None
        while (ailment := await self.scene.ailment()) is not None:
            last = ailment
            if time.monotonic() - ended > _RECOVERY_SECONDS:
                return None, last
            await asyncio.sleep(0.1)
        return round(time.monotonic() - ended, 1), last

    # After.

    async def make_peace(self) -> None:
        """Heal everything, let everybody finish, and time pass until all is completed."""
        self.scene.heal()
        for server in self.scene.servers:
            await server.start()
        give_up_at = time.monotonic() + _SETTLING_SECONDS
        for caller in self.callers:
            caller.give_up_at = give_up_at
        async with asyncio.TaskGroup() as group:
            for customer in self.customers:
                group.create_task(customer.finish())
        while time.monotonic() < give_up_at and not await self._is_done():
            async with asyncio.TaskGroup() as group:
                for customer in self.customers:
                    if customer.number == self.scale.customers:
                        group.create_task(self._pass_time(customer))

    async def _pass_time(self, customer: Customer) -> None:
        await customer.review_the_broken()
        await customer.move(36)

    async def _is_done(self) -> bool:
        """Tell whether nothing waits any more, but for those who could not be reached."""
        async with self.scene.connected() as conn:
            if await conn.fetchval(UNDER_WAY_COUNT, list(UNDER_WAY)):
                return False
            return not (await conn.fetchval(UNTOLD) or await conn.fetchval(WAITING))

    async def audit(self) -> None:
        """Read the books into the report."""
        report = self.report
        report.checks = await audit(self.scene, self.workspaces)
        for workspace in self.workspaces:
            report.tally += workspace.promises.tally
        async with self.scene.connected() as conn:
            report.counts = {name: await conn.fetchval(query) for name, query in COUNTS.items()}
        report.counts["deliveries received"] = sum(
            inbox.came for inbox in self.scene.outside.inboxes.values()
        )
        report.logged = Counter(
            entry["event"] for entry in self.scene.logged() if entry.get("level") == "error"
        )

    async def go_through(self, seconds: float, *, most: int | None = None) -> None:
        """Do all of it: so many seconds under load, with at most ``most`` rounds of blows."""
        rounds = drawn(self.report.seed, self.kinds, pace=self.scale.pace)
        await self.under_fire(islice(rounds, most), seconds)
        try:
            await self.make_peace()
        except* GaveUpError as unanswered:
            self.report.failures.append(f"calls that nobody answered: {unanswered.exceptions}")
        await self.audit()
        self.report.judge()


@asynccontextmanager
async def begun(
    *, seed: int, folder: Path, scale: Scale = LONG, kinds: Sequence[str] = tuple(KINDS)
) -> AsyncIterator[Trial]:
    """Set everything up for a trial; what it writes goes into the folder."""
    report = Report(seed)
    sample = folder / "sample.mp4"
    write_sample_video(sample)
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(world_outside(sample.read_bytes()))
        scene = await stack.enter_async_context(staged(outside, api_workers=scale.api_workers))
        can_fill = scene.database_disk.mounted and scene.home_disk.mounted
        possible = [kind for kind in kinds if can_fill or not KINDS[kind].fills]
        report.left_out = sorted(set(kinds) - set(possible))
        trial = Trial(scene, scale, possible, report, chance_of(seed, "trial"), folder)
        stack.push_async_callback(trial.close)
        await trial.set_up()
        yield trial
