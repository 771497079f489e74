"""What has had its time goes; what was worked out from it stays, also when it is made anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.analytics.collecting import NOON, a_post, an_account, collect, comment, post, reading
from tests.cast import World
from tokportal_server.analytics.operations.rebuild_rollups import rebuild_rollups
from tokportal_server.analytics.retention import AnalyticsRetention
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.settings import Settings

DAY = timedelta(days=1)
DAYS = "SELECT * FROM account_days ORDER BY metric, day"
# As if what was collected before a day had been written in January of 2024.
AGE = """
CREATE TABLE {table}_202401 PARTITION OF {table} FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
SET session_replication_role = replica;
UPDATE {table} SET recorded_at = '2024-01-15' WHERE collected_at < '{day}';
SET session_replication_role = origin;
"""


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account that was read on each of six days; one of its posts only on the first two."""
    made = await an_account(conn, world.acme)
    for name in ("11111", "22222"):
        await a_post(conn, world.acme, made, name)
    for day in range(6):
        seen = [post("11111", views=100 + 10 * day)]
        if day < 2:
            seen.append(post("22222", views=day))
        await collect(
            conn,
            world.acme,
            made,
            *seen,
            at=NOON + day * DAY,
            profile=reading(followers=day),
            comments=[comment(day, under="11111")],
        )
    return made


async def days(conn: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch(DAYS)]


async def aged(conn: Connection, *, before: str) -> None:
    for table in ("post_snapshots", "account_snapshots"):
        await conn.execute(AGE.format(table=table, day=before))
    await conn.execute("UPDATE post_comments SET recorded_at = '2024-01-15' WHERE text <> ''")


@pytest.mark.usefixtures("account")
async def test_old_snapshots_and_comments_go_and_days_stay(
    conn: Connection, database: Database, settings: Settings
) -> None:
    before = await days(conn)
    await aged(conn, before=(NOON + 3 * DAY).date().isoformat())

    # Six comments and a month of each kind of snapshot.
    assert await AnalyticsRetention(database, settings).run_once() == 6 + 2
    assert await conn.fetchval("SELECT count(*) FROM post_snapshots") == 3
    assert await conn.fetchval("SELECT count(*) FROM post_comments") == 0
    assert await days(conn) == before


@pytest.mark.usefixtures("account")
async def test_days_without_their_snapshots_stay_when_rollups_are_made_anew(
    conn: Connection, database: Database, settings: Settings, world: World
) -> None:
    before = await days(conn)
    await aged(conn, before=(NOON + 3 * DAY).date().isoformat())
    await AnalyticsRetention(database, settings).run_once()
    await conn.execute("UPDATE account_days SET gain = 99 WHERE day = '2026-11-25'")
    await rebuild_rollups(conn=conn, workspace_id=world.acme)

    assert await days(conn) == before


@pytest.mark.usefixtures("account")
async def test_what_is_young_enough_stays(
    conn: Connection, database: Database, settings: Settings
) -> None:
    assert await AnalyticsRetention(database, settings).run_once() == 0
    assert await conn.fetchval("SELECT count(*) FROM post_snapshots") == 8
