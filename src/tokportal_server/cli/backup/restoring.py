"""Restoring a backup into an empty installation. Nothing that is there is ever overwritten.

1. Before anything is touched: the manifest, the keys, every checksum.
2. The database must be empty, and not older than the one that was dumped.
3. The keys, then the media, go to their places. Broken off here, a second run goes on: the database
   is still empty, and objects that are there already are left.
4. The database, all of it or nothing; an older schema is migrated.
5. The rows are counted, the books proven, and every object that a row names is looked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from tokportal_server.cli.administration import COMMAND_LINE
from tokportal_server.cli.backup import media_list
from tokportal_server.cli.backup.checking import bytes_to_read, problems
from tokportal_server.cli.backup.copying import Report, batches
from tokportal_server.cli.backup.explaining import explained
from tokportal_server.cli.backup.keys import install_keys, prove_keys
from tokportal_server.cli.backup.manifest import MEDIA, BackupError, Manifest, read_manifest
from tokportal_server.cli.backup.media_list import Item
from tokportal_server.cli.backup.taking import ROWS, VERSION, Telling
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.dumps import programs_for
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import ObjectStore, file_chunks, open_store
from tokportal_server.migrations.run import migrate, revisions
from tokportal_server.migrations.texts import SchemaError, refuse_other_texts
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations.kill_switch import Switch, pause
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

# Tables of extensions belong to the database, not to anybody's data.
OCCUPANT = """
SELECT c.relname::text FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1 LIMIT 1
"""
# Archives of workspaces are made anew when asked for, and are in no backup.
FORGET_EXPORTS = "DELETE FROM workspace_exports"
_WHY_PAUSED = "Restored from a backup."
_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What shall be restored, and how.

    ``keys`` is a file of vault keys to be installed; ``paused`` leaves the maintenance switch on;
    ``programs`` is a folder with others than come along.
    """

    settings: Settings
    folder: Path
    keys: Path | None = None
    paused: bool = False
    programs: Path | None = None


def examine_backup(wanted: Wanted, telling: Telling) -> Manifest:
    """Read the whole backup before anything is touched. Blocks.

    Raises:
        BackupError: a newer release wrote it, a file is missing or damaged, or a key is.
        VaultError: a key cannot be used.
    """
    manifest = read_manifest(wanted.folder)
    if manifest.schema_revision not in revisions():
        raise BackupError(
            f"The backup has schema {manifest.schema_revision} of server {manifest.server_version},"
            f" and this release knows schemas to {revisions()[-1]}. Restore with that release, or"
            " a newer one."
        )
    try:
        refuse_other_texts(manifest.schema_texts, manifest.schema_revision)
    except SchemaError as error:
        raise BackupError(f"{error} Restore with the release that made the backup.") from error
    prove_keys(wanted.settings, manifest.vault_keys, wanted.keys)
    telling.begin("checking", bytes_to_read(manifest))
    found = list(problems(wanted.folder, manifest, telling.advance))
    if found:
        raise BackupError(
            f"{len(found)} files of the backup cannot be used, so nothing was restored."
            f" {' '.join(found[:_SHOWN])}"
        )
    return manifest


async def restore_backup(
    wanted: Wanted, manifest: Manifest, dsn: str, telling: Telling
) -> list[str]:
    """Bring an examined backup into an empty database and store; give what is not as it should be.

    Raises:
        BackupError: the database is not empty, or older than the one that was dumped; or it or the
            media store fails.
        DumpError: the database does not take the dump; nothing of it is left there.
    """
    with explained("Mend that, and restore again; into an empty database if there is a schema."):
        return await _restore(wanted, manifest, dsn, telling)


async def _restore(wanted: Wanted, manifest: Manifest, dsn: str, telling: Telling) -> list[str]:
    store = open_store(wanted.settings.storage_url, home=wanted.settings.home)
    async with _connected(dsn) as conn:
        await _refuse_occupied(conn)
        programs = await programs_for(await _major(conn, manifest), wanted.programs)
    if wanted.keys is not None:
        install_keys(wanted.settings, wanted.keys)
    listed = wanted.folder / manifest.media_list.name
    if manifest.media.mode == "copied":
        telling.begin("media", manifest.media.size)
        await _put_media(store, wanted.folder, media_list.read(listed), telling.advance)
    telling.begin("database", None)
    await programs.restore(dsn, wanted.folder / manifest.database.name)
    async with _connected(dsn) as conn:
        wrong = await _differing(conn, manifest)
    telling.begin("doctor", None)
    await asyncio.to_thread(migrate, dsn)
    await programs.analyze(dsn)
    async with _connected(dsn) as conn:
        wrong += await _settled(conn, manifest, paused=wanted.paused)
    return wrong + [lost async for lost in _lost(store, media_list.read(listed))]


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    conn = await asyncpg.connect(dsn)
    try:
        await prepare_connection(conn)
        yield conn
    finally:
        await conn.close()


async def _refuse_occupied(conn: Connection) -> None:
    occupant = await conn.fetchval(OCCUPANT)
    if occupant is not None:
        raise BackupError(
            f"The database is not empty: it has the table {occupant}. A backup is restored into an"
            " empty installation only: set TOKPORTAL_HOME to a new folder, or"
            " TOKPORTAL_DATABASE_URL to an empty database."
        )


async def _major(conn: Connection, manifest: Manifest) -> int:
    major: int = await conn.fetchval(VERSION)
    if major < manifest.postgresql:
        raise BackupError(
            f"The backup is of PostgreSQL {manifest.postgresql}, and the database is {major}, which"
            " does not read what newer ones write. Use one of the same version, or a newer one."
        )
    return major


async def _put_media(
    store: ObjectStore, folder: Path, items: Iterator[Item], report: Report
) -> None:
    for batch in batches(item for item in items if item.state == "copied"):
        await asyncio.gather(*(_put(store, folder / MEDIA / item.key, item) for item in batch))
        report(sum(item.size or 0 for item in batch))


async def _put(store: ObjectStore, source: Path, item: Item) -> None:
    present = await store.head(item.key)
    if present == item.size:
        return  # came with a run that was broken off
    if present is not None:
        raise BackupError(
            f"{item.key} is in the media store already, as another file. Nothing is overwritten:"
            " set TOKPORTAL_STORAGE_URL to an empty place."
        )
    stored = await store.put_stream(item.key, file_chunks(source))
    if stored.sha256 != item.sha256:
        await store.delete(item.key)
        raise BackupError(f"{source} was changed while it was read. Try again.")


async def _differing(conn: Connection, manifest: Manifest) -> list[str]:
    found = {row["name"]: row["n"] for row in await conn.fetch(ROWS)}
    return [
        f"{name} has {found.get(name, 0)} rows, and the backup counted {n}."
        for name, n in manifest.rows.items()
        if found.get(name, 0) != n
    ]


async def _settled(conn: Connection, manifest: Manifest, *, paused: bool) -> list[str]:
    """Note what was done, and prove the books; give what they contradict."""
    async with conn.transaction():
        await conn.execute(FORGET_EXPORTS)
        if paused:
            switch = Switch("maintenance")
            await pause(conn=conn, actor=COMMAND_LINE, switch=switch, reason=_WHY_PAUSED)
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="installation.restore",
            subject=("installation", UUID(manifest.installation)),
            actor=COMMAND_LINE,
            details={"made_at": manifest.made_at.isoformat(), "paused": paused},
        )
    return [
        f"doctor: {finding.check.name} does not hold: {finding.contradictions[0]}"
        for finding in await examine(conn)
        if finding.contradictions
    ]


async def _lost(store: ObjectStore, items: Iterator[Item]) -> AsyncIterator[str]:
    """Give the objects that rows name and the store does not have."""
    for batch in batches(item for item in items if not item.optional and item.state != "gone"):
        sizes = await asyncio.gather(*(store.head(item.key) for item in batch))
        for item, size in zip(batch, sizes, strict=True):
            if size != item.size:
                yield f"{item.key} is not in the media store."
