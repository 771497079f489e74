"""What nobody waits for: answers and files past their time go, everything else stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.cast import World
from tokportal_server.entry.housekeeping import Housekeeping
from tokportal_server.lib.db import Connection, Database

ANSWERS = """
INSERT INTO idempotency_keys (workspace_id, key, fingerprint, expires_at)
SELECT $1, n::text, '', now() + make_interval(hours => n) FROM generate_series(-3, 3) n
 WHERE n <> 0
"""
MONTHS = """
SELECT inhrelid::regclass::text AS child FROM pg_inherits WHERE inhparent = $1::text::regclass
"""
MAKE_MONTH = """
DO $$ DECLARE first timestamptz := ({first} + interval '{months} months') AT TIME ZONE 'UTC';
BEGIN
    EXECUTE format('CREATE TABLE {table}_%s PARTITION OF {table} FOR VALUES FROM (%L) TO (%L)',
                   to_char(first AT TIME ZONE 'UTC', 'YYYYMM'), first, first + interval '27 days');
END $$
"""


async def test_deletes_the_answers_whose_time_is_over(
    database: Database, conn: Connection, world: World, tmp_path: Path
) -> None:
    await conn.execute(ANSWERS, world.acme)

    assert await Housekeeping(database, tmp_path).run_once() == 3

    kept = await conn.fetch("SELECT key FROM idempotency_keys ORDER BY key")
    assert [row["key"] for row in kept] == ["1", "2", "3"]


async def test_deletes_files_that_a_killed_process_has_left_behind(
    database: Database, tmp_path: Path
) -> None:
    abandoned, arriving = tmp_path / "upload-a", tmp_path / "upload-b"
    for path in (abandoned, arriving):
        path.write_bytes(b"half a video")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(abandoned, (two_days_ago, two_days_ago))

    assert await Housekeeping(database, tmp_path).run_once() == 1

    assert list(tmp_path.iterdir()) == [arriving]


async def test_does_not_mind_that_nothing_has_arrived_yet(
    database: Database, tmp_path: Path
) -> None:
    assert await Housekeeping(database, tmp_path / "incoming").run_once() == 0


@pytest.mark.parametrize(("table", "years"), [("audit", 2), ("journal", 5)])
async def test_drops_the_months_of_a_table_that_have_had_their_time(
    database: Database, conn: Connection, tmp_path: Path, table: str, years: int
) -> None:
    kept = {row["child"] for row in await conn.fetch(MONTHS, table)}
    # A month lasts until its end: one of them ended just now, the other has some days left.
    over = f"date_trunc('month', now() AT TIME ZONE 'UTC' - interval '{years} years 2 months')"
    for months in (0, 2):
        await conn.execute(MAKE_MONTH.format(table=table, first=over, months=months))
    assert len(await conn.fetch(MONTHS, table)) == len(kept) + 2

    assert await Housekeeping(database, tmp_path).run_once() == 1

    left = {row["child"] for row in await conn.fetch(MONTHS, table)}
    assert kept < left
    assert len(left) == len(kept) + 1
