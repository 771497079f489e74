"""A marker in every column that takes one, and the look for it in every column that there is."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from tokportal_server.lib.db import Connection

MARKER = "xXplantedXx"
# What the program itself writes there, of few words or numbers: nobody's name, and never free text.
PROGRAMS_WORDS = {
    ("audit", "action"),
    ("audit", "subject_kind"),
    ("audit", "actor_kind"),
    ("credit_entries", "actor_kind"),
    ("credit_entries", "breakdown"),
    ("credit_lots", "source"),
    ("earnings", "country"),
    ("earnings", "platform"),
}
COLUMNS = """
SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, NULL) AS type
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND format_type(a.atttypid, NULL) IN ('text', 'jsonb', 'text[]', 'bytea')
   AND EXISTS (SELECT FROM pg_attribute w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id')
 ORDER BY 1, 2
"""
TABLES = """
SELECT c.relname AS "table" FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY 1
"""
WORKSPACE_TABLES = """
SELECT c.relname AS "table" FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attname = 'workspace_id'
 ORDER BY 1
"""
_WITH_MARKER = {
    "text": "{0} || '{1}'",
    "text[]": "array_append({0}, '{1}')",
    "bytea": "{0} || convert_to('{1}', 'UTF8')",
    "jsonb": "CASE jsonb_typeof({0}) WHEN 'object' THEN {0} || '{{\"p\": \"{1}\"}}' ELSE {0} END",
}


async def plant(conn: Connection, workspace_id: UUID) -> set[tuple[str, str]]:
    """Put the marker into everything of a workspace that could hold it; give where it is now.

    Past triggers and foreign keys; what a check of the table itself refuses can hold no such thing.
    """
    planted = set()
    for row in await conn.fetch(COLUMNS):
        place = (row["table"], row["column"])
        if place in PROGRAMS_WORDS:
            continue
        value = _WITH_MARKER[row["type"]].format(row["column"], MARKER)
        try:
            async with conn.transaction():
                await conn.execute("SET LOCAL session_replication_role = replica")
                done = await conn.execute(
                    f"UPDATE {row['table']} SET {row['column']} = {value}"
                    f" WHERE workspace_id = $1 AND {row['column']} IS NOT NULL",
                    workspace_id,
                )
        except asyncpg.CheckViolationError:
            continue
        if done != "UPDATE 0":
            planted.add(place)
    return planted


async def found(conn: Connection, marker: str = MARKER) -> dict[str, int]:
    """Give in which tables the marker still is, in how many rows: as text, or as bytes."""
    places = {}
    for row in await conn.fetch(TABLES):
        n = await conn.fetchval(
            f"SELECT count(*) FROM {row['table']} t"
            " WHERE strpos(t::text, $1) > 0 OR strpos(t::text, $2) > 0",
            marker,
            marker.encode().hex(),
        )
        if n:
            places[row["table"]] = n
    return places


async def fingerprints(conn: Connection, workspace_id: UUID) -> dict[str, str]:
    """Digest every row of a workspace, by table."""
    digests = {}
    for row in await conn.fetch(WORKSPACE_TABLES):
        digests[row["table"]] = await conn.fetchval(
            "SELECT md5(COALESCE(string_agg(t::text, chr(10) ORDER BY t::text), ''))"
            f" FROM {row['table']} t WHERE workspace_id = $1",
            workspace_id,
        )
    return digests


async def empty_tables(conn: Connection, workspace_id: UUID) -> set[str]:
    """Give the tables of which a workspace has no row."""
    empty = set()
    for row in await conn.fetch(WORKSPACE_TABLES):
        there = f"SELECT EXISTS (SELECT FROM {row['table']} WHERE workspace_id = $1)"
        if not await conn.fetchval(there, workspace_id):
            empty.add(row["table"])
    return empty
