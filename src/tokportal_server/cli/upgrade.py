"""``tokportal-server upgrade``: the embedded PostgreSQL from one major version to the next.

1. Look first: versions, programs, room, extensions, whether the server is stopped.
2. Beside the old cluster, make a new one (``lib/embedded/upgrading.py``). Bring roles and databases
   over by a dump, read by the newer version's programs.
3. Compare the rows of every table, migrate the new one, and have the doctor prove its books.
4. Only then the new data takes the place of the old, which stays until it is removed by command.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from tokportal_server.cli.administration import AdministrationError
from tokportal_server.cli.backup.taking import HAS_COUNTS, REVISION, ROWS, Telling
from tokportal_server.lib import embedded
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.dumps import Programs, programs_for
from tokportal_server.lib.embedded import EmbeddedPostgresError, binaries
from tokportal_server.lib.embedded.upgrading import Pair, old_data, upgrading
from tokportal_server.migrations.run import migrate, pending
from tokportal_server.workbench.doctor import examine

EXTENSIONS = "SELECT extname::text FROM pg_extension ORDER BY 1"
SIZE = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database WHERE datallowconn"
DATABASES = """
SELECT datname::text FROM pg_database
 WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY 1
"""
HAS_SCHEMA = "SELECT to_regclass('alembic_version') IS NOT NULL"
# A new cluster before anything is in it, with its first log of changes.
_EMPTY_CLUSTER: Final = 150_000_000
_JOBS: Final = 4


@dataclass(frozen=True)
class Fact:
    """One thing that was looked at; ``wrong`` is in the way of an upgrade."""

    name: str
    found: str
    wrong: bool = False


async def look(home: Path, dsn: str, *, used: bool) -> list[Fact]:
    """Look at everything an upgrade of the embedded server needs; changes nothing.

    ``dsn`` is the running old server's; ``used`` tells whether somebody else used it before.
    """
    major = embedded.major_of(home) or embedded.NEWEST
    conn = await asyncpg.connect(dsn)
    try:
        await prepare_connection(conn)
        facts = [_version(major), await _schema(conn)]
        if major < embedded.NEWEST:
            facts += [
                _programs(major),
                Fact("stopped", "it is in use: stop it first" if used else "yes", used),
                await _room(conn, home),
                await _extensions(conn),
            ]
    finally:
        await conn.close()
    return facts + [
        Fact("old data", f"{path} ({_mb(_size(path))}): upgrade --remove-old")
        for path in old_data(home)
    ]


def _version(major: int) -> Fact:
    newest = embedded.NEWEST
    found = f"{major}, as this release needs"
    return Fact("PostgreSQL", found if major == newest else f"{major}; this release runs {newest}")


def _programs(major: int) -> Fact:
    try:
        for needed in (major, embedded.NEWEST):
            binaries.locate(needed)
    except EmbeddedPostgresError as error:
        return Fact("programs", str(error), wrong=True)
    return Fact("programs", f"{major} and {embedded.NEWEST} are installed")


async def _schema(conn: Connection) -> Fact:
    revision = await conn.fetchval(REVISION) if await conn.fetchval(HAS_SCHEMA) else None
    steps = len(pending(revision))
    distance = f"{steps} migrations to run" if steps else "current"
    return Fact("schema", f"{revision or 'none'}; {distance}")


async def _room(conn: Connection, home: Path) -> Fact:
    """The new cluster and, until it is in, the compressed dump."""
    needed = _EMPTY_CLUSTER + await conn.fetchval(SIZE) * 3 // 2
    free = shutil.disk_usage(home).free
    return Fact("room", f"{_mb(needed)} needed, {_mb(free)} free", needed > free)


async def _extensions(conn: Connection) -> Fact:
    names = [row["extname"] for row in await conn.fetch(EXTENSIONS)]
    share = binaries.locate(embedded.NEWEST).prefix / "share" / "postgresql" / "extension"
    missing = [name for name in names if not (share / f"{name}.control").exists()]
    if missing:
        return Fact("extensions", f"missing in {embedded.NEWEST}: {', '.join(missing)}", wrong=True)
    return Fact("extensions", f"{', '.join(names)} are there")


async def upgrade(home: Path, telling: Telling) -> Path | None:
    """Upgrade; give where the old data is kept now.

    Raises:
        AdministrationError: what was brought over is not what was there; nothing has changed.
        DumpError: a dump or a restore failed; nothing has changed.
        EmbeddedPostgresError: it is in use, or a server does not run; nothing has changed.
    """
    with upgrading(home) as pair:
        await _bring_over(pair, telling)
        telling.begin("doctor", None)
        await asyncio.to_thread(migrate, pair.new.dsn())
        await _prove(pair.new.dsn())
        pair.accept()
        telling.begin("switch", None)
    return pair.kept


def remove_old(home: Path) -> list[Path]:
    """Delete the data that upgrades have left behind; give what it was."""
    found = old_data(home)
    for path in found:
        shutil.rmtree(path)
    return found


async def _bring_over(pair: Pair, telling: Telling) -> None:
    programs = await programs_for(pair.new.major)
    await programs.copy_roles(
        pair.old.dsn("postgres"), pair.new.dsn("postgres"), pair.scratch / "roles.sql"
    )
    conn = await asyncpg.connect(pair.old.dsn("postgres"))
    try:
        databases = [row["datname"] for row in await conn.fetch(DATABASES)]
    finally:
        await conn.close()
    for name in databases:
        telling.begin(f"database {name}", None)
        await _bring_database(pair, programs, name)


async def _bring_database(pair: Pair, programs: Programs, name: str) -> None:
    if name != embedded.DATABASE:
        await asyncio.to_thread(pair.new.create_database, name)
    dump = pair.scratch / "database.dump"
    os.close(os.open(dump, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    old, new = pair.old.dsn(name), pair.new.dsn(name)
    await programs.dump(old, dump)
    await programs.restore(new, dump, jobs=min(_JOBS, os.cpu_count() or 1), with_grants=True)
    dump.unlink()
    before, after = await _rows(old), await _rows(new)
    if before != after:
        differing = sorted(name for name, _ in set(before.items()) ^ set(after.items()))
        raise AdministrationError(
            f"Not all rows of {name} came over ({', '.join(differing)}). Nothing has changed; the"
            " old data is in its place."
        )
    await programs.analyze(new)


async def _rows(dsn: str) -> dict[str, int]:
    """Count the rows of our tables; databases that are none of ours have no such function."""
    conn = await asyncpg.connect(dsn)
    try:
        if not await conn.fetchval(HAS_COUNTS):
            return {}
        return {row["name"]: row["n"] for row in await conn.fetch(ROWS)}
    finally:
        await conn.close()


async def _prove(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        await prepare_connection(conn)
        wrong = [finding for finding in await examine(conn) if finding.contradictions]
    finally:
        await conn.close()
    if wrong:
        raise AdministrationError(
            f"The doctor finds contradictions in what came over ({wrong[0].check.name}:"
            f" {wrong[0].contradictions[0]}). Nothing has changed. Run tokportal-server doctor with"
            " the release before, and mend them first."
        )


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def _mb(size: int) -> str:
    return f"{size // 1_000_000} MB"
