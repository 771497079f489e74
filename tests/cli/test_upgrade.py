"""``tokportal-server upgrade``: PostgreSQL 16 to 18 with data, and broken off at each step."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.cast import World, people_the_world
from tests.cli.command import Command
from tests.lib.databases import connected
from tests.lib.directories import passable_directory
from tokportal_server.lib import embedded
from tokportal_server.lib.embedded import EmbeddedPostgresError, cluster
from tokportal_server.lib.embedded.directories import Layout
from tokportal_server.lib.embedded.upgrading import upgrading
from tokportal_server.migrations.run import migrate
from tokportal_server.workbench.doctor import examine

QUICK = {"fsync": "off"}
SAFETY_NET = 120.0


@pytest.fixture(scope="module")
def sixteen() -> Iterator[tuple[Path, World]]:
    """A home whose data was written by PostgreSQL 16, stopped, and who is in it."""
    with passable_directory() as ground:
        home = ground / "home"
        with embedded.start(home, major=16, settings=QUICK) as postgres:
            migrate(postgres.dsn())
            world = asyncio.run(_people(postgres.dsn()))
        yield home, world


async def _people(dsn: str) -> World:
    async with connected(dsn) as conn:
        world = await people_the_world(conn)
        await conn.execute("CREATE ROLE reporting; GRANT SELECT ON workspaces TO reporting")
    return world


@pytest.fixture
def home(sixteen: tuple[Path, World]) -> Iterator[Path]:
    """A copy of it for one test."""
    with passable_directory() as ground:
        subprocess.run(["/bin/cp", "-a", sixteen[0], ground / "home"], check=True)
        yield ground / "home"


@pytest.fixture
def command(home: Path) -> Command:
    """The command line of this home, with the embedded PostgreSQL."""
    return Command("", home)


async def ask(home: Path, statement: str, major: int) -> Any:
    """Ask the embedded server of a version, which is stopped again."""
    with embedded.start(home, major=major, settings=QUICK) as postgres:
        async with connected(postgres.dsn()) as conn:
            assert [found for found in await examine(conn) if found.contradictions] == []
            return await conn.fetchval(statement)


CREDITS = "SELECT sum(amount) FROM credit_entries"
REPORTING = "SELECT has_table_privilege('reporting', 'workspaces', 'SELECT')"


async def test_brings_everything_over_and_keeps_the_old_data_until_it_is_removed(
    command: Command, home: Path
) -> None:
    started = await command("serve")
    assert started.code == 2
    assert "written by PostgreSQL 16, and this release runs 18" in started.err
    assert started.err.endswith("Bring it over: tokportal-server upgrade")
    looked = await command("upgrade", "--check")
    assert looked.code == 0, looked.out + looked.err
    for words in ("16; this release runs 18", "current", "room", "plpgsql are there"):
        assert words in looked.out

    done = await command("upgrade")

    assert done.code == 0, done.out + done.err
    assert "that of 16 is in" in done.out
    postgres = home / "postgres"
    assert (postgres / "data" / "PG_VERSION").read_text() == "18\n"
    assert (postgres / "data-16" / "PG_VERSION").read_text() == "16\n"
    assert not (postgres / "upgrade").exists()
    assert await ask(home, CREDITS, 18) > 0
    assert await ask(home, REPORTING, 18) is True
    again = await command("upgrade")
    assert (again.code, "Nothing to do" in again.out) == (0, True)
    removed = await command("upgrade", "--remove-old")
    assert (removed.code, "data-16 is deleted" in removed.out) == (0, True)
    assert not (postgres / "data-16").exists()
    assert (await command("doctor")).code == 0


@pytest.mark.parametrize("step", ["database tokportal", "doctor", "switch"])
async def test_killed_at_a_step_the_old_data_still_starts_and_a_second_run_ends_it(
    command: Command, home: Path, step: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tokportal_server.entry.main", "upgrade"),
        env=command._environment(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(SAFETY_NET):
        while f"{step} …" not in (line := (await process.stderr.readline()).decode()):
            assert line, "the upgrade ended before"
    process.send_signal(signal.SIGKILL)
    await process.wait()

    major = embedded.major_of(home)
    assert major == 16
    assert await ask(home, CREDITS, major) > 0
    done = await command("upgrade")
    assert done.code == 0, done.out + done.err
    assert await ask(home, CREDITS, 18) > 0
    assert not (home / "postgres" / "upgrade").exists()


async def test_a_switch_that_was_broken_off_is_settled_by_the_next_start(home: Path) -> None:
    layout = Layout(home / "postgres")
    layout.data.rename(layout.root / "switching-16")
    assert embedded.major_of(home) == 16
    assert await ask(home, CREDITS, 16) > 0
    assert not (layout.root / "switching-16").exists()

    # The new data had come, and only the old one's name was not settled.
    layout.data.rename(layout.root / "switching-16")
    shutil.copytree(layout.root / "switching-16", layout.data)
    cluster.settle_switch(layout)
    assert cluster.replaced(layout) == [layout.root / "data-16"]
    assert layout.data.exists()


async def test_refuses_while_somebody_uses_the_server(command: Command, home: Path) -> None:
    with embedded.shared(home, major=16):
        looked = await command("upgrade", "--check")
        assert (looked.code, "it is in use" in looked.out) == (1, True)
        refused = await command("upgrade")
        assert (refused.code, "nothing was changed" in refused.err) == (2, True)
    assert (home / "postgres" / "data" / "PG_VERSION").read_text() == "16\n"


async def test_refuses_when_an_earlier_upgrade_left_its_data(command: Command, home: Path) -> None:
    (home / "postgres" / "data-16").mkdir()
    refused = await command("upgrade")
    assert (refused.code, "upgrade --remove-old" in refused.err) == (2, True)
    assert await ask(home, CREDITS, 16) > 0


async def test_a_backup_of_the_old_version_goes_into_the_new_one(
    command: Command, home: Path, tmp_path: Path
) -> None:
    made = await command("backup", tmp_path / "backup")
    assert made.code == 0, made.err
    with passable_directory() as ground:
        fresh = Command("", ground / "home")
        restored = await fresh("restore", tmp_path / "backup")
        assert restored.code == 0, restored.out + restored.err
        assert await ask(ground / "home", CREDITS, 18) == await ask(home, CREDITS, 16)


async def test_a_database_of_ones_own_is_ones_own_to_upgrade(dsn: str, home: Path) -> None:
    refused = await Command(dsn, home)("upgrade")
    assert (refused.code, "tokportal-server migrate" in refused.err) == (2, True)


@pytest.fixture
async def other_texts(dsn: str) -> str:
    """A database that a changed migration has made."""
    conn = await asyncpg.connect(dsn)
    await conn.execute("UPDATE schema_texts SET sha256 = 'x' WHERE revision = '0002_credits'")
    await conn.close()
    return dsn


async def test_a_schema_of_other_migrations_is_refused_with_the_way_out(
    other_texts: str, tmp_path: Path
) -> None:
    run = Command(other_texts, tmp_path)
    for arguments in (("serve",), ("migrate",), ("migrate", "--check"), ("doctor",)):
        refused = await run(*arguments)
        assert refused.code == 2
        assert "other migrations than this release has: 0002_credits" in refused.err
        assert "drop that database" in refused.err
        assert "Traceback" not in refused.err


async def test_a_schema_from_before_texts_were_recorded_is_refused(
    dsn: str, tmp_path: Path
) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute("DROP TABLE schema_texts")
    await conn.close()
    refused = await Command(dsn, tmp_path)("migrate")
    assert (refused.code, "0001_foundation" in refused.err) == (2, True)


async def test_a_demo_of_other_migrations_names_its_folder(home: Path, command: Command) -> None:
    with embedded.start(home / "demo", settings=QUICK) as postgres:
        conn = await asyncpg.connect(postgres.dsn())
        await conn.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        await conn.execute("INSERT INTO alembic_version VALUES ('0015')")
        await conn.close()
    refused = await command("demo", "--exit")
    assert refused.code == 2
    assert f"stop it and remove {home / 'demo'}." in refused.err
    assert "Traceback" not in refused.err


async def test_migrate_says_what_it_would_do(dsn: str, tmp_path: Path) -> None:
    run = Command(dsn, tmp_path)
    current = await run("migrate", "--check")
    assert (current.code, current.out) == (0, "")
    conn = await asyncpg.connect(dsn)
    await conn.execute("UPDATE alembic_version SET version_num = '0015'")
    await conn.close()
    behind = await run("migrate", "--check")
    assert behind.code == 1
    assert behind.out.splitlines()[0] == (
        "0016_operation: Backups: which installation they are of, and how much there must be in"
        " them."
    )


async def test_a_schema_of_a_newer_release_is_left_alone(dsn: str, tmp_path: Path) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute("UPDATE alembic_version SET version_num = '9999'")
    await conn.close()
    assert (await Command(dsn, tmp_path)("migrate")).code == 0


def test_there_is_nothing_to_upgrade_in_data_of_this_version() -> None:
    with passable_directory() as ground:
        embedded.start(ground / "home", settings=QUICK).stop()
        with (
            pytest.raises(EmbeddedPostgresError, match="needs no upgrade"),
            upgrading(ground / "home"),
        ):
            pass
