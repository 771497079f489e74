"""Taking a backup, while the server runs.

1. Have the folder alone; it is empty, or holds a backup of this installation.
2. In one transaction with an exported snapshot: count the rows, list the media that rows name, and
   have ``pg_dump`` read that very snapshot. Objects are stored before their rows, so each object on
   the list was there at that moment.
3. Copy the media. Only what was deleted since can be away, and then its row is gone too.
4. Write the manifest, in one step; only then delete what the backup before this one needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import asyncpg
import msgspec

from tokportal_server import __version__
from tokportal_server.cli.backup import media_list
from tokportal_server.cli.backup.copying import NAMED_MEDIA, Copier, prune
from tokportal_server.cli.backup.explaining import explained
from tokportal_server.cli.backup.folder import (
    clear,
    described,
    refuse_another_installation,
    writing,
)
from tokportal_server.cli.backup.manifest import (
    BackupError,
    File,
    KeyNote,
    Manifest,
    Media,
    private,
    write_manifest,
)
from tokportal_server.cli.backup.media_list import Item
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.dumps import Programs, programs_for
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.storage import open_store
from tokportal_server.lib.vault_check import NOTED_KEYS
from tokportal_server.migrations.texts import TEXTS

VERSION = "SELECT current_setting('server_version_num')::int / 10000"
REVISION = "SELECT version_num FROM alembic_version"
HAS_COUNTS = "SELECT to_regprocedure('count_rows()') IS NOT NULL"
INSTALLATION_ID = "SELECT id::text FROM installation"
ROWS = "SELECT name, n FROM count_rows()"
SNAPSHOT = "SELECT pg_export_snapshot()"
# The transaction of the snapshot waits for pg_dump, for as long as that takes.
STAY_OPEN = "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"
_SHOWN = 20
_WHOLE = "Take it again; a backup that was there before is whole."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a backup shall be like; ``programs`` is a folder with others than come along."""

    settings: Settings
    dsn: str
    folder: Path
    with_media: bool
    programs: Path | None = None


@dataclass(frozen=True)
class Telling:
    """Where progress is told: what begins, of how many bytes, and how many more are done."""

    begin: Callable[[str, int | None], None] = lambda _what, _total: None
    advance: Callable[[int], None] = lambda _size: None


@dataclass(frozen=True)
class Taken:
    """A backup that was made; ``lost`` are the first objects that rows name and nobody has."""

    manifest: Manifest
    lost: list[str]


@dataclass(frozen=True)
class _Moment:
    """What one snapshot of the database holds; the list of its media is in a file."""

    revision: str
    texts: dict[str, str]
    postgresql: int
    rows: dict[str, int]
    vault_keys: list[KeyNote]
    database: File
    media_bytes: int


@dataclass
class _Tally:
    media: Media
    lost: list[str] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Count an object by what became of it."""
        now, state = self.media, item.state
        if state in {"copied", "listed"}:
            changes = {"objects": now.objects + 1, "size": now.size + (item.size or 0)}
        else:
            changes = {state: getattr(now, state) + 1}
        if state in {"missing", "damaged"} and len(self.lost) < _SHOWN:
            self.lost.append(f"{item.key} ({state})")
        self.media = msgspec.structs.replace(now, **changes)


async def take_backup(asked: Asked, telling: Telling) -> Taken:
    """Make a backup in a folder, or bring the one that is there up to now.

    Raises:
        BackupError: the folder is not for it, the disk is full, or there is nothing to back up.
        DumpError: the database cannot be dumped.
    """
    with writing(asked.folder), explained(_WHOLE):
        conn = await asyncpg.connect(asked.dsn)
        try:
            return await _take(conn, asked, telling)
        finally:
            await conn.close()


async def _take(conn: Connection, asked: Asked, telling: Telling) -> Taken:
    if not await conn.fetchval(HAS_COUNTS):
        raise BackupError(
            "The database has no schema of a release, so there is nothing to back up. The first"
            " start of tokportal-server serve makes it."
        )
    installation: str = await conn.fetchval(INSTALLATION_ID)
    refuse_another_installation(asked.folder, installation)
    made_at = real_now()
    stamp = f"{made_at:%Y%m%d%H%M%S%f}"
    dump = asked.folder / f"database-{stamp}.dump"
    media = asked.folder / f"media-{stamp}.jsonl"
    draft = media.with_suffix(".jsonl.part")
    try:
        telling.begin("database", None)
        moment = await _read_moment(conn, asked, dump, draft)
        telling.begin("media", moment.media_bytes)
        tally, listed = await _take_media(conn, asked, draft, media, telling)
        manifest = Manifest(
            made_at=made_at,
            server_version=__version__,
            installation=installation,
            schema_revision=moment.revision,
            schema_texts=moment.texts,
            postgresql=moment.postgresql,
            database=moment.database,
            media_list=listed,
            media=tally.media,
            rows=moment.rows,
            vault_keys=moment.vault_keys,
        )
        await asyncio.to_thread(write_manifest, asked.folder, manifest)
    except BaseException:
        for unfinished in (dump, media, draft):
            unfinished.unlink(missing_ok=True)
        raise
    await asyncio.to_thread(clear, asked.folder, manifest)
    if asked.with_media:
        await asyncio.to_thread(prune, asked.folder, media_list.read(media))
    return Taken(manifest, tally.lost)


async def _read_moment(conn: Connection, asked: Asked, dump: Path, draft: Path) -> _Moment:
    postgresql: int = await conn.fetchval(VERSION)
    programs = await programs_for(postgresql, asked.programs)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        await conn.execute(STAY_OPEN)
        rows = {row["name"]: row["n"] for row in await conn.fetch(ROWS)}
        notes = [KeyNote(row["key_id"], row["sealed"]) for row in await conn.fetch(NOTED_KEYS)]
        revision = await conn.fetchval(REVISION)
        texts = {row["revision"]: row["sha256"] for row in await conn.fetch(TEXTS)}
        size = await _list_media(conn, draft)
        private(dump).close()
        await _dump(conn, programs, asked.dsn, dump)
    database = await asyncio.to_thread(described, dump)
    return _Moment(revision, texts, postgresql, rows, notes, database, size)


async def _dump(conn: Connection, programs: Programs, dsn: str, target: Path) -> None:
    """Have the program read what this transaction sees; it must not end before."""
    await programs.dump(dsn, target, snapshot=await conn.fetchval(SNAPSHOT))


async def _list_media(conn: Connection, draft: Path) -> int:
    size = 0
    with media_list.Writer(draft) as writer:
        async for row in conn.cursor(NAMED_MEDIA, prefetch=1000):
            item = Item(**row)
            writer.write(item)
            size += item.size or 0
    return size


async def _take_media(
    conn: Connection, asked: Asked, draft: Path, target: Path, telling: Telling
) -> tuple[_Tally, File]:
    """Copy what the draft names, and write the list of what became of it."""
    settings = asked.settings
    mode: Literal["copied", "listed"] = "copied" if asked.with_media else "listed"
    tally = _Tally(Media(mode, settings.storage_url, 0, 0))
    with media_list.Writer(target) as writer:
        if asked.with_media:
            copier = Copier(
                conn, open_store(settings.storage_url, home=settings.home), asked.folder
            )
            async for item in copier.all(media_list.read(draft), telling.advance):
                tally.add(item)
                writer.write(item)
        else:
            for item in media_list.read(draft):
                tally.add(item)
                writer.write(item)
        listed = writer.written(target.name)
    return tally, listed
