"""A workspace as one ZIP, made while it is written: its tables, its media, and a README.

1. Every table of ``holdings.py`` as JSON Lines, all of them at one moment of the database.
2. The media files, one after the other, with no transaction open: it may take hours.
3. ``README.txt`` last, since it counts what there was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from tokportal_server import __version__
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.storage import ObjectStore
from tokportal_server.lib.zip_stream import Member, zip_chunks
from tokportal_server.workspaces.errors import WorkspaceNotFoundError
from tokportal_server.workspaces.holdings import HOLDINGS, Holding

# Rows of a large table are sorted out by the server for longer than a request may take.
NO_TIME_LIMIT = "SELECT set_config('statement_timeout', '0', true)"
WORKSPACE = """
SELECT to_jsonb(w)::text FROM workspaces w WHERE w.id = $1 AND w.erased_at IS NULL
"""
ROWS = "SELECT export_rows($1, $2, $3, $4)"
# Who the ids of the other tables are; managers go by the name that customers know them by.
PEOPLE = """
SELECT jsonb_build_object('id', p.id, 'name', p.name, 'email', p.email, 'role', m.role)::text
  FROM workspace_members m JOIN people p ON p.id = m.person_id
 WHERE m.workspace_id = $1 ORDER BY p.name, p.id
"""
MEDIA = """
SELECT id, COALESCE(object_key, storage_key) AS key, storage_key, filename, size_bytes FROM uploads
 WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT 500
"""
_ROWS_AT_ONCE: Final = 500
# Tables are counted only while they are written; this asks for the format's larger numbers.
_UNKNOWN: Final = 1 << 31


@dataclass(slots=True)
class Archive:
    """An archive in the making; the counts are whole when it is.

    ``rows`` is by file name; ``missing`` are media files that their store did not have.
    """

    workspace_id: UUID
    at: datetime = field(default_factory=real_now)
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many rows there are in all."""
        return sum(self.rows.values())

    async def chunks(self, database: Database, storage: ObjectStore) -> AsyncIterator[bytes]:
        """Give the archive piece by piece, in constant memory.

        Raises:
            WorkspaceNotFoundError: there is no such workspace (any more).
        """
        async for chunk in zip_chunks(self._members(database, storage)):
            yield chunk

    async def _members(self, database: Database, storage: ObjectStore) -> AsyncIterator[Member]:
        async with (
            database.connection() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            await conn.fetchval(NO_TIME_LIMIT)
            one = await conn.fetchval(WORKSPACE, self.workspace_id)
            if one is None:
                raise WorkspaceNotFoundError(f"There is no workspace {self.workspace_id}.")
            yield Member.of("workspace.json", one)
            yield Member("people.jsonl", 0, partial(self._people, conn))
            for holding in HOLDINGS:
                if not holding.withheld:
                    name = f"tables/{holding.table}.jsonl"
                    yield Member(name, _UNKNOWN, partial(self._table, conn, holding, name))
        async for member in self._media(database, storage):
            yield member
        yield Member.of("README.txt", self.readme())

    async def _people(self, conn: Connection) -> AsyncIterator[bytes]:
        rows = await conn.fetch(PEOPLE, self.workspace_id)
        self.rows["people.jsonl"] = len(rows)
        return _lines([str(row[0]) for row in rows])

    async def _table(self, conn: Connection, holding: Holding, name: str) -> AsyncIterator[bytes]:
        self.rows[name] = 0
        asked = (holding.table, self.workspace_id, list(holding.omitted), list(holding.texts))

        async def pieces() -> AsyncIterator[bytes]:
            cursor = await conn.cursor(ROWS, *asked)
            while rows := await cursor.fetch(_ROWS_AT_ONCE):
                self.rows[name] += len(rows)
                yield "".join(f"{row[0]}\n" for row in rows).encode()

        return pieces()

    async def _media(self, database: Database, storage: ObjectStore) -> AsyncIterator[Member]:
        last: UUID | None = None
        while True:
            async with database.connection() as conn:
                rows: list[Any] = await conn.fetch(MEDIA, self.workspace_id, last)
            if not rows:
                return
            last = rows[-1]["id"]
            for row in rows:
                name = f"media/{row['storage_key']}"
                size = await storage.head(row["key"])
                if not size:
                    self.missing.append(name)
                    continue
                self.files += 1
                yield Member(name, size, partial(storage.get_range, row["key"], 0, size))

    def readme(self) -> str:
        """Say what is what, and what is left out."""
        held = [one for one in HOLDINGS if not one.withheld]
        out = [one for one in HOLDINGS if one.withheld]
        missing = [f"  {name}" for name in self.missing] or ["  none"]
        return "\n".join(
            [
                f"Workspace {self.workspace_id}, as it was on {self.at:%Y-%m-%d %H:%M} UTC.",
                f"Written by tokportal-server {__version__}.",
                "",
                "Files named .jsonl have one JSON object a line, one for each row. Times are UTC",
                "in ISO 8601; those of a rehearsal are of its own clock. Amounts are credits.",
                "",
                "  workspace.json: the workspace itself",
                f"  people.jsonl: its members by id ({self.rows.get('people.jsonl', 0)})",
                *(self._line(one) for one in held),
                f"  media/: the files of tables/uploads.jsonl by storage_key ({self.files})",
                "",
                "Left out:",
                *(f"  {one.table} ({one.what}): {one.withheld}" for one in out),
                *(f"  {one.table}: {', '.join(one.omitted)}" for one in held if one.omitted),
                "",
                "Media of which there is a row but no file (any more):",
                *missing,
                "",
            ]
        )

    def _line(self, holding: Holding) -> str:
        name = f"tables/{holding.table}.jsonl"
        return f"  {name}: {holding.what} ({self.rows.get(name, 0)})"


async def _lines(lines: list[str]) -> AsyncIterator[bytes]:
    yield "".join(f"{line}\n" for line in lines).encode()
