"""How the schema comes into a database: once, wholly or not at all, by one migrator at a time."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from tests.cli.command import Command
from tests.house.repository import PACKAGE
from tests.lib.databases import own_database
from tokportal_server.migrations.run import _config, migrate, newest_revision

CONTENTS = """
SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public') AS relations,
       (SELECT max(oid::bigint) FROM pg_class) AS newest,
       (SELECT count(*) FROM countries) AS countries,
       (SELECT count(*) FROM prices) AS prices
"""
VERSION = "SELECT version_num FROM alembic_version"
WAITING = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database())
"""
REVISION = """
from tokportal_server.migrations.statements import apply
revision = "{revision}"
down_revision = "{down}"
def upgrade():
    apply({first!r})
    apply({second!r})
"""

BESIDE_WRITERS = """
from alembic import op
revision = "9001"
down_revision = "{down}"
def upgrade():
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_title ON bundles (title)")
"""
IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_title'::regclass"


@pytest.fixture
async def empty() -> AsyncIterator[str]:
    """The address of a database without a schema."""
    async with own_database() as address:
        yield address


async def _row(dsn: str, query: str) -> tuple[object, ...]:
    conn = await asyncpg.connect(dsn)
    try:
        row = await conn.fetchrow(query)
        assert row is not None
        return tuple(row)
    finally:
        await conn.close()


def _migration_lock() -> int:
    source = (PACKAGE / "migrations" / "env.py").read_text(encoding="utf-8")
    found = re.search(r"_MIGRATION_LOCK = ([\d_]+)", source)
    assert found
    return int(found[1])


async def test_a_second_run_finds_nothing_to_do(dsn: str) -> None:
    before = await _row(dsn, CONTENTS)
    await asyncio.to_thread(migrate, dsn)
    assert await _row(dsn, CONTENTS) == before
    assert await _row(dsn, VERSION) == (newest_revision(),)


async def test_the_command_brings_an_empty_database_to_the_newest_revision(
    empty: str, home: Path
) -> None:
    migrated = await Command(empty, home)("migrate")
    assert migrated.code == 0
    assert await _row(empty, VERSION) == (newest_revision(),)


async def test_whoever_comes_second_waits_and_both_end_well(empty: str, home: Path) -> None:
    conn = await asyncpg.connect(empty)
    try:
        await conn.execute("SELECT pg_advisory_lock($1)", _migration_lock())
        run = Command(empty, home)
        both = asyncio.gather(run("migrate"), run("migrate"))
        while not await conn.fetchval(WAITING):
            assert not both.done()
            await asyncio.sleep(0.02)
        # Whoever waits has not touched the database.
        assert await conn.fetchval("SELECT to_regclass('alembic_version')") is None
        await conn.execute("SELECT pg_advisory_unlock($1)", _migration_lock())
        assert [outcome.code for outcome in await both] == [0, 0]
    finally:
        await conn.close()
    assert await _row(empty, VERSION) == (newest_revision(),)


@pytest.mark.parametrize("second", ["SELECT no_such_function();", "SELECT 1 / 0;"])
async def test_a_revision_that_fails_is_rolled_back_wholly(
    dsn: str, home: Path, second: str
) -> None:
    before = await _row(dsn, CONTENTS)
    _write_revision(home, "CREATE TABLE left_over (); DELETE FROM prices;", second)
    with pytest.raises(Exception, match=r"no_such_function|division by zero"):
        await asyncio.to_thread(command.upgrade, _with_revisions_of(dsn, home), "9001")
    assert await _row(dsn, VERSION) == (newest_revision(),)
    assert await _row(dsn, "SELECT to_regclass('left_over')") == (None,)
    assert await _row(dsn, CONTENTS) == before
    # And the lock is free again.
    await asyncio.to_thread(migrate, dsn)


async def test_a_failing_revision_does_not_take_the_one_before_it_along(
    dsn: str, home: Path
) -> None:
    _write_revision(home, "CREATE TABLE wanted ()", "SELECT 1")
    _write_revision(home, "CREATE TABLE left_over ()", "SELECT 1 / 0", revision="9002", down="9001")
    with pytest.raises(Exception, match="division by zero"):
        await asyncio.to_thread(command.upgrade, _with_revisions_of(dsn, home), "9002")
    assert await _row(dsn, VERSION) == ("9001",)
    assert await _row(dsn, "SELECT to_regclass('left_over')") == (None,)
    assert await _row(dsn, "SELECT to_regclass('wanted')::text") == ("wanted",)


async def test_an_index_is_built_beside_writers_as_the_guide_says(dsn: str, home: Path) -> None:
    text = BESIDE_WRITERS.format(down=newest_revision())
    (home / "revision_9001.py").write_text(text, encoding="utf-8")
    writer = await asyncpg.connect(dsn)
    async with writer.transaction():
        # An index that is not built concurrently would wait for this one.
        await writer.execute("LOCK TABLE bundles IN ROW EXCLUSIVE MODE")
        building = asyncio.create_task(
            asyncio.to_thread(command.upgrade, _with_revisions_of(dsn, home), "9001")
        )
        while await writer.fetchval("SELECT to_regclass('by_title')") is None:
            assert not building.done(), building.exception()
            await asyncio.sleep(0.02)
        await writer.execute("UPDATE bundles SET title = 'x'")
    await building
    await writer.close()
    assert await _row(dsn, IS_VALID) == (True,)
    assert await _row(dsn, VERSION) == ("9001",)


async def test_percent_signs_and_colons_reach_the_server_as_they_stand(
    dsn: str, home: Path
) -> None:
    _write_revision(
        home,
        "CREATE TABLE said (what text); INSERT INTO said VALUES ('50 % of :x');",
        "UPDATE said SET what = what || '::text %s';",
    )
    await asyncio.to_thread(command.upgrade, _with_revisions_of(dsn, home), "9001")
    assert await _row(dsn, "SELECT what FROM said") == ("50 % of :x::text %s",)
    assert await _row(dsn, VERSION) == ("9001",)


async def test_a_table_that_is_in_use_is_given_up_and_not_queued_for(dsn: str, home: Path) -> None:
    """A migration that waits for a lock makes every later statement wait behind it."""
    _write_revision(
        home,
        "DO $$ BEGIN IF current_setting('lock_timeout') <> '5s' THEN"
        " RAISE 'lock_timeout is %', current_setting('lock_timeout'); END IF; END $$",
        "SELECT 1",
    )
    await asyncio.to_thread(command.upgrade, _with_revisions_of(dsn, home), "9001")
    assert await _row(dsn, VERSION) == ("9001",)


def _write_revision(
    home: Path, first: str, second: str, *, revision: str = "9001", down: str | None = None
) -> None:
    names = [home / f"{revision}_{name}" for name in ("first", "second")]
    for name, statements in zip(names, (first, second), strict=True):
        name.with_suffix(".sql").write_text(statements, encoding="utf-8")
    # A path from the root stays what it is when it is joined to another one.
    text = REVISION.format(
        revision=revision,
        down=down or newest_revision(),
        first=str(names[0]),
        second=str(names[1]),
    )
    (home / f"revision_{revision}.py").write_text(text, encoding="utf-8")


def _with_revisions_of(dsn: str, home: Path) -> Config:
    config = _config(dsn)
    ours = PACKAGE / "migrations" / "versions"
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{ours}\n{home}")
    return config


async def test_the_server_is_the_one_that_was_asked_for(dsn: str) -> None:
    (version,) = await _row(dsn, "SHOW server_version_num")
    assert str(version).startswith(os.environ.get("TEST_POSTGRES_MAJOR", "18"))


def test_every_revision_has_its_statements_and_follows_the_one_before() -> None:
    versions = sorted(path.stem for path in (PACKAGE / "migrations" / "versions").glob("0*.py"))
    statements = sorted(path.stem for path in (PACKAGE / "migrations" / "sql").glob("*.sql"))
    assert versions == statements
    assert newest_revision() == versions[-1][:4]
    before = None
    for name in versions:
        text = (PACKAGE / "migrations" / "versions" / f"{name}.py").read_text(encoding="utf-8")
        assert f'revision = "{name[:4]}"\n' in text
        assert f"down_revision = {before!r}".replace("'", '"') in text
        assert f'apply("{name}")' in text
        before = name[:4]
