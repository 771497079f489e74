"""An older release's tests meet this one's schema: what it adds passes, what it takes is caught."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tools import compat
from tools.compat import NoSuchRevisionError, last_release, run_on_new_schema, unpack

# A release in little: its tests clone the template, as those of the real ones do, and its code
# writes and reads a table.
CODE = """
WRITE = "INSERT INTO things (id, title) VALUES (1, 'one')"
READ = "SELECT title FROM things"
"""
TEST = """
import asyncio, os
import asyncpg
import little

async def clone(name):
    conn = await asyncpg.connect(os.environ["TEST_POSTGRES_DSN"])
    await conn.execute(f"CREATE DATABASE {name} TEMPLATE tokportal_template")
    await conn.close()
    return os.environ["TEST_POSTGRES_DSN"].replace("/postgres?", f"/{name}?")

async def use(name):
    conn = await asyncpg.connect(await clone(name))
    try:
        await conn.execute(little.WRITE)
        return await conn.fetchval(little.READ)
    finally:
        await conn.close()
        conn = await asyncpg.connect(os.environ["TEST_POSTGRES_DSN"])
        await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await conn.close()

def test_writes_and_reads():
    assert asyncio.run(use("NAME")) == "one"
"""
THEN = "CREATE TABLE things (id integer PRIMARY KEY, title text NOT NULL);"
EXPANDED = THEN + "ALTER TABLE things ADD COLUMN made_at timestamptz NOT NULL DEFAULT now();"
CONTRACTED = THEN + "ALTER TABLE things DROP COLUMN title;"


def git(folder: Path, *arguments: str) -> None:
    who = (
        "-c",
        "user.name=Olga",
        "-c",
        "user.email=olga@example.com",
        "-c",
        "commit.gpgsign=false",
    )
    command = ["git", "-C", str(folder), *who, *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A repository with the little release, without a tag."""
    folder = tmp_path / "history"
    (folder / "src").mkdir(parents=True)
    (folder / "tests" / "http").mkdir(parents=True)
    (folder / "src" / "little.py").write_text(CODE)
    named = TEST.replace("NAME", f"little_{uuid4().hex}")
    (folder / "tests" / "http" / "test_little.py").write_text(named)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "The little release")
    return folder


@pytest.fixture
def templates(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of this run's PostgreSQL, whose own template is left alone."""
    name = f"compat_{uuid4().hex}"
    monkeypatch.setattr(compat, "TEMPLATE", name)
    address = os.environ["TEST_POSTGRES_DSN"]
    yield name

    async def drop() -> None:
        conn = await asyncpg.connect(address)
        await conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await conn.close()

    asyncio.run(drop())


def migrating(schema: str) -> compat.Migrate:
    def migrate(dsn: str) -> None:
        async def run() -> None:
            conn = await asyncpg.connect(dsn)
            await conn.execute(schema)
            await conn.close()

        asyncio.run(run())

    return migrate


@pytest.mark.parametrize(
    ("schema", "passes"),
    [(THEN, True), (EXPANDED, True), (CONTRACTED, False)],
    ids=["the same", "a column more", "a column less"],
)
def test_an_older_release_works_on_what_was_added_and_not_on_what_was_taken(
    history: Path, templates: str, tmp_path: Path, schema: str, *, passes: bool
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    unpack(history, "HEAD", old)
    test = old / "tests" / "http" / "test_little.py"
    test.write_text(test.read_text().replace("tokportal_template", templates))
    code = run_on_new_schema(
        old,
        os.environ["TEST_POSTGRES_DSN"],
        ["tests/http", "-p", "no:tokportal_server"],
        migrations=migrating(schema),
    )
    assert (code == 0) is passes


def test_without_a_tag_there_is_no_earlier_release(
    history: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert last_release(history) is None
    assert last_release(tmp_path / "nowhere") is None
    monkeypatch.setattr(compat, "ROOT", history)
    assert compat.main([]) == 0
    assert "no earlier release" in capsys.readouterr().out


def test_the_newest_version_is_the_release_before(history: Path) -> None:
    for tag in ("0.9.0", "v0.10.0", "nightly", "0.2.1"):
        git(history, "tag", tag)
    assert last_release(history) == "v0.10.0"


def test_a_revision_that_a_shallow_history_lacks_is_named(
    history: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(NoSuchRevisionError):
        unpack(history, "0.1.0", tmp_path)
    monkeypatch.setattr(compat, "ROOT", history)
    assert compat.main(["--from", "0.1.0"]) == 2
    assert "0.1.0 is not in this history" in capsys.readouterr().err


@pytest.mark.proof
def test_the_release_before_or_this_ones_last_commit_works_on_this_schema() -> None:
    revision = last_release(compat.ROOT) or "HEAD"
    assert (
        compat.main(
            ["--from", revision, "tests/http/test_idempotency.py", "tests/http/test_matrix.py"]
        )
        == 0
    )
