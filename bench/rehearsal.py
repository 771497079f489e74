"""Moving a rehearsal's clock: 72 hours over 1,000 live bundles (limit 20 s on two cores).

1. Together: 1,000 published bundles; managers claim and set up at the first moment, and all reviews
   end at one moment three days later: three transitions each.
2. Spread: the same, but every bundle was worked on as it came, so each deadline has a moment of its
   own.

The limit is reached only if every bundle is where it belongs afterwards, with as many things having
happened. Run it with nothing else going on: ``python bench/rehearsal.py``; ``--quick`` takes 100.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import uvloop
from harness.report import QUICK, Report, reporting
from harness.stage import UNLIMITED, postgres

from tokportal_server.bundles.operations.configure_profile import configure_profile
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.operations.publish_bundle import publish_bundle
from tokportal_server.bundles.wire import ConfigureAccountRequest, CreateBundleRequest
from tokportal_server.credits import ledger
from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.rules import OrderRules
from tokportal_server.rehearsal.clock import advance
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.rehearsal.managers import work_once
from tokportal_server.uploads.source import MediaSource
from tokportal_server.workspaces.operations.create_person import create_person

BUNDLES: Final = 100 if QUICK else 1_000
LIMIT_SECONDS: Final = 20.0
HOURS: Final = timedelta(hours=73)
ORDER: Final = CreateBundleRequest(bundle_type="account_only", country="USA", platform="tiktok")
PROFILE: Final = ConfigureAccountRequest(
    username="acme.daily", visible_name="Acme", biography="Every day."
)
FINISHED: Final = """
SELECT count(*) FROM bundles WHERE workspace_id = $1 AND status = 'completed'
"""


async def rehearsal(conn: Connection, name: str) -> UUID:
    """Make a rehearsal with credits."""
    owner = await create_person(conn=conn, email=f"{name}@example.com", name=name)
    workspace = await create_rehearsal(conn=conn, name=name, owner_id=owner, plan="starter")
    async with _now(conn, workspace) as tx:
        await ledger.grant(
            tx,
            amount=1_000_000,
            source="grant",
            expires_at=None,
            description="Opening balance",
            business_key="opening",
            actor=SYSTEM,
        )
    return workspace


async def publish(conn: Connection, ports: Ports, workspace: UUID) -> None:
    """Order, configure and publish one bundle."""
    rules = OrderRules.of(ports.settings)
    source = MediaSource(ports.settings.origin(), ports.outbound_policy)
    async with _now(conn, workspace) as tx:
        bundle_id, _ = await create_bundle(tx=tx, actor=SYSTEM, order=ORDER, per_minute=UNLIMITED)
        await configure_profile(
            tx=tx, actor=SYSTEM, bundle_id=bundle_id, request=PROFILE, source=source
        )
        await publish_bundle(tx=tx, actor=SYSTEM, bundle_id=bundle_id, rules=rules)


def _now(conn: Connection, workspace: UUID) -> AbstractAsyncContextManager[UnitOfWork]:
    return unit_of_work(conn, workspace, now=real_now())


async def together(conn: Connection, ports: Ports, workspace: UUID) -> int:
    """Publish all; give how many things are to happen."""
    for _ in range(BUNDLES):
        await publish(conn, ports, workspace)
    return 3 * BUNDLES


async def spread(conn: Connection, ports: Ports, workspace: UUID) -> int:
    """Publish all and have each worked on at once; give how many things are to happen."""
    for _ in range(BUNDLES):
        await publish(conn, ports, workspace)
        while await work_once(conn, ports, workspace, real_now()):
            pass
    return BUNDLES


async def measure(
    report: Report,
    ports: Ports,
    name: str,
    prepare: Callable[[Connection, Ports, UUID], Awaitable[int]],
) -> None:
    """Prepare a rehearsal and move its clock."""
    async with ports.database.connection() as conn:
        workspace = await rehearsal(conn, name)
        wanted = await prepare(conn, ports, workspace)
    began = time.perf_counter()
    _, happened = await advance(ports, workspace, HOURS)
    took = time.perf_counter() - began
    async with ports.database.connection() as conn:
        finished = await conn.fetchval(FINISHED, workspace)
    report.add(
        f"72 hours over {BUNDLES:,} bundles, {name}",
        took,
        "s",
        at_most=LIMIT_SECONDS,
        kept=took <= LIMIT_SECONDS and finished == BUNDLES and happened >= wanted,
        note=f"{happened:,} things happened, {finished:,} bundles were completed",
    )


async def measure_all(report: Report, home: Path, dsn: str) -> None:
    """Measure one after the other."""
    async with open_ports(Settings(home=home, database_url=dsn)) as ports:
        for one in (together, spread):
            await measure(report, ports, one.__name__, one)


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn):
        uvloop.run(measure_all(report, home, dsn))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
