"""Capacity: what an order, a delivery, a snapshot and a read cost our process and PostgreSQL.

Processor time says how much a core can do in a day, whatever else the machine does meanwhile; wall
time on a machine that client, server and database share does not.

1. An embedded PostgreSQL with its default settings.
2. Reads and orders over HTTP by one API process, eight clients, each in a workspace of its own.
3. Deliveries as a worker makes them: events that wait are fanned out to twenty endpoints, signed,
   posted to a receiver in a process of its own, and recorded.
4. The whole life of an order for an account: made, configured, published, claimed, set up,
   accepted, by simulated managers on a rehearsal's clock. A video's life has as many steps.
5. Snapshots as a worker stores them: accounts of 500 posts, readings an hour apart.

Each: milliseconds of our process and of PostgreSQL (all its processes), bytes of its log of changes
(which replicas and archives take too), bytes that stay on its disk. ``docs/operate/scale.md`` says
what follows. ``python bench/capacity.py``; ``--quick`` is shorter.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import uvloop
from analytics import collect, empty_accounts
from deliveries import ENDPOINTS, Scene, scene
from harness.load import cpu_seconds, load, request
from harness.receiver import receiver
from harness.report import QUICK, Report, reporting
from harness.stage import (
    BODY,
    Tenant,
    api,
    connected,
    order,
    postgres,
    processes_of_postgres,
    settle_in,
)
from rehearsal import FINISHED, HOURS, publish, rehearsal

from tokportal_server.lib.db import Connection
from tokportal_server.lib.process import spare_the_collector
from tokportal_server.rehearsal.clock import advance

CLIENTS: Final = 8
SECONDS: Final = 3.0 if QUICK else 15.0
EVENTS: Final = 100 if QUICK else 1_000
LIVES: Final = 20 if QUICK else 200
COLLECTIONS: Final = 4 if QUICK else 40
POSTS: Final = 500
# What a core is planned for: the other half is for the busy hours, and for everything else.
_PLANNED_MS_A_DAY: Final = 0.5 * 86_400_000
STATE: Final = (
    "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS log, pg_database_size('tokportal') AS kept"
)


@dataclass(frozen=True, slots=True)
class Database:
    """The PostgreSQL that is measured."""

    conn: Connection
    home: Path

    def cpu_seconds(self) -> float:
        """Give the processor time of all its processes so far, also of those that have ended."""
        total = 0.0
        for process in processes_of_postgres(self.home).values():
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
        return total


@dataclass(slots=True)
class Cost:
    """What a stretch of work has cost, in milliseconds and bytes, and how many things it did."""

    ours: float = 0.0
    postgres: float = 0.0
    log: float = 0.0
    kept: float = 0.0
    things: int = 0


@asynccontextmanager
async def costing(database: Database, process: psutil.Process) -> AsyncIterator[Cost]:
    """Measure what is done in the block; whoever is in it says how many things that were."""
    cost = Cost()
    await database.conn.execute("CHECKPOINT")
    before = await database.conn.fetchrow(STATE)
    ours, theirs = cpu_seconds(process), database.cpu_seconds()
    yield cost
    cost.ours = 1000 * (cpu_seconds(process) - ours)
    # What is written later belongs to the work too.
    await database.conn.execute("CHECKPOINT")
    cost.postgres = 1000 * (database.cpu_seconds() - theirs)
    after = await database.conn.fetchrow(STATE)
    assert before is not None
    assert after is not None
    cost.log, cost.kept = (float(after[name] - before[name]) for name in ("log", "kept"))


def tell(report: Report, what: str, cost: Cost) -> None:
    """Report the cost of one thing, and how many a planned core does in a day."""
    ours, theirs = cost.ours / cost.things, cost.postgres / cost.things
    report.add(
        f"{what}: a core of ours",
        ours,
        "ms each",
        note=f"{_PLANNED_MS_A_DAY / ours / 1e6:.1f} million a day at half load",
    )
    report.add(
        f"{what}: a core of PostgreSQL",
        theirs,
        "ms each",
        note=(
            f"{_PLANNED_MS_A_DAY / theirs / 1e6:.1f} million a day at half load;"
            f" {cost.log / cost.things / 1000:.1f} kB of log, {cost.kept / cost.things / 1000:.1f}"
            f" kB kept; of {cost.things:,}"
        ),
    )


async def over_http(report: Report, database: Database, dsn: str) -> None:
    """Read and order by one API process."""
    tenants: list[Tenant] = []
    for number in range(CLIENTS):
        tenants.append(await settle_in(database.conn, f"tenant-{number}"))
        for _ in range(25):
            await order(database.conn, tenants[-1])
    await database.conn.execute("VACUUM ANALYZE")
    reads = [request("/bundles", tenant.key) for tenant in tenants]
    orders = [request("/bundles", tenant.key, BODY) for tenant in tenants]
    with api(database.home, dsn) as (port, process):
        for what, requests in (("a list of 25", reads), ("an order of 3 videos", orders)):
            await load(port, process, requests, 1.0)
            async with costing(database, process) as cost:
                measured = await load(port, process, requests, SECONDS)
                cost.things = round(measured.per_second * SECONDS)
            tell(report, what, cost)


async def deliveries(report: Report, database: Database, stage: Scene) -> None:
    """Fan out and deliver."""
    await stage.fan_out(20)
    await stage.drain()
    await stage.commit_all(EVENTS)
    async with costing(database, psutil.Process()) as cost:
        await stage.dispatch()
        await stage.drain()
        cost.things = EVENTS * ENDPOINTS
    tell(report, "a delivery", cost)


async def lives(report: Report, database: Database, stage: Scene) -> None:
    """Order accounts, and let three days pass."""
    workspace = await rehearsal(database.conn, "lives")
    async with costing(database, psutil.Process()) as cost:
        for _ in range(LIVES):
            await publish(database.conn, stage.ports, workspace)
        await advance(stage.ports, workspace, HOURS)
        cost.things = LIVES
    assert await database.conn.fetchval(FINISHED, workspace) == LIVES
    tell(report, "an account's whole life", cost)


async def snapshots(report: Report, database: Database) -> None:
    """Store collections of an account of 500 posts."""
    workspace = (await settle_in(database.conn, "snapshots")).workspace
    [account] = await empty_accounts(database.conn, workspace, 1)
    await collect(database.conn, workspace, account, POSTS, 0)
    async with costing(database, psutil.Process()) as cost:
        for number in range(COLLECTIONS):
            await collect(database.conn, workspace, account, POSTS, number + 1)
        cost.things = POSTS * COLLECTIONS
    tell(report, "a snapshot", cost)


async def measure(report: Report, home: Path, dsn: str, address: str) -> None:
    """Measure one kind of work after the other."""
    async with connected(dsn) as conn:
        database = Database(conn, home)
        await over_http(report, database, dsn)
        async with scene(home, dsn, address) as stage:
            await deliveries(report, database, stage)
            await lives(report, database, stage)
        spare_the_collector()
        await snapshots(report, database)


def main() -> int:
    """Measure; nothing here has a limit."""
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn), receiver() as address:
        uvloop.run(measure(report, home, dsn, address))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
