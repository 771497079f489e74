"""What stands in the database, as metrics tell it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from prometheus_client.core import Metric

from tests.cast import World, people_the_world
from tests.client import Client
from tests.orders.walk import claimed, published
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.levels import ALL_LEVELS, Levels

AGE_OFFER = "UPDATE bundles SET published_at = published_at - interval '3 days'"
AGE_CLAIM = "UPDATE claims SET due_at = now() - interval '1 hour'"
HOLD_JOBS = "UPDATE pgqueuer SET status = 'failed'"


async def read(database: Database, home: Path) -> dict[str, Metric]:
    return {metric.name: metric for metric in await Levels(database, home).read()}


def one(found: dict[str, Metric], name: str, *labels: str) -> float:
    return next(s.value for s in found[name].samples if tuple(s.labels.values()) == labels)


async def test_an_empty_server_tells_every_level_but_what_never_happened(
    database: Database, home: Path
) -> None:
    found = await read(database, home)
    assert set(found) == {level.metric for level in ALL_LEVELS}
    assert one(found, "tokportal_database_up") == 1
    assert one(found, "tokportal_deliveries_waiting", "due") == 0
    assert found["tokportal_doctor_contradictions"].samples == []


async def test_orders_wait_are_claimed_and_run_late(
    alice: Client, conn: Connection, world: World, ports: Ports, home: Path
) -> None:
    bundle_id = await published(alice, videos=1)
    await conn.execute(AGE_OFFER)
    found = await read(ports.database, home)
    assert one(found, "tokportal_orders_unclaimed") == 1
    waited = one(found, "tokportal_orders_unclaimed_oldest_seconds")
    assert waited > timedelta(days=3).total_seconds()
    assert one(found, "tokportal_events_waiting") > 0

    await claimed(conn, world, ports, bundle_id)
    await conn.execute(AGE_CLAIM)
    found = await read(ports.database, home)
    assert one(found, "tokportal_orders_unclaimed") == 0
    assert one(found, "tokportal_claims_live") == 1
    assert one(found, "tokportal_claims_overdue") == 1
    assert one(found, "tokportal_deadlines_due") == 1
    assert one(found, "tokportal_deadlines_oldest_seconds") > 3599
    assert one(found, "tokportal_orders", "accepted") == 1


async def test_rehearsals_are_left_out_of_the_orders(
    conn: Connection, database: Database, home: Path
) -> None:
    await people_the_world(conn, rehearsal=True)
    await conn.execute("UPDATE wallets SET is_low = true")
    assert one(await read(database, home), "tokportal_workspaces_low_on_credits") == 1


async def test_jobs_are_told_by_kind_and_state(
    conn: Connection, database: Database, home: Path
) -> None:
    for _ in range(2):
        await enqueue(conn, "knit", {})
    found = await read(database, home)
    assert one(found, "tokportal_jobs", "knit", "due") == 2
    await conn.execute(HOLD_JOBS)
    found = await read(database, home)
    assert one(found, "tokportal_jobs", "knit", "held") == 2
    assert one(found, "tokportal_jobs_oldest_seconds", "knit") == 0


async def test_levels_are_read_once_however_often_they_are_asked_for(
    database: Database, home: Path
) -> None:
    levels = Levels(database, home)
    first = await levels.read()
    assert await levels.read() is first


async def test_without_the_database_only_that_and_the_disk_are_told(
    database: Database, home: Path
) -> None:
    await database.close()
    found = await read(database, home)
    assert one(found, "tokportal_database_up") == 0
    assert set(found) == {
        "tokportal_info",
        "tokportal_database_up",
        "tokportal_disk_bytes",
        "tokportal_disk_free_bytes",
    }
