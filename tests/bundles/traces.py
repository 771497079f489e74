"""What an operation leaves in the database: events, journal rows, counters, or nothing at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator

from tokportal_server.lib.db import Connection
from tokportal_server.webhooks.catalogue import CATALOGUE

_SCHEMAS = {kind.type: kind.schema for kind in CATALOGUE if kind.schema is not None}
EVENTS = "SELECT type, data, sequence FROM events WHERE workspace_id = $1 ORDER BY sequence"
JOURNAL = """
SELECT kind, from_status, to_status, actor_kind, actor_id, reason FROM journal
 WHERE workspace_id = $1 AND root_id = $2 ORDER BY ordinal
"""
COUNTERS = "SELECT kind, status, n FROM counters WHERE workspace_id = $1 AND n <> 0"
TABLES = """
SELECT oid::regclass::text AS name FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
 ORDER BY 1
"""
# Admission takes a token and notes the last use, whatever comes of the request, and a moment later
# the log of requests has it.
ADMISSION = ("buckets", "api_keys", "api_requests")


async def events(conn: Connection, workspace_id: UUID) -> list[tuple[str, dict[str, Any]]]:
    """Give type and data of every event, each held against the schema that is published."""
    found = []
    for row in await conn.fetch(EVENTS, workspace_id):
        data: dict[str, Any] = row["data"]
        Draft202012Validator(_SCHEMAS[row["type"]]).validate({**data, "sequence": row["sequence"]})
        found.append((row["type"], data))
    return found


async def journal(conn: Connection, workspace_id: UUID, bundle_id: str) -> list[tuple[Any, ...]]:
    """Give the changes of status of a bundle and what belongs to it: kind, from, to."""
    rows = await conn.fetch(JOURNAL, workspace_id, UUID(bundle_id))
    return [(row["kind"], row["from_status"], row["to_status"]) for row in rows]


async def actors(conn: Connection, workspace_id: UUID, bundle_id: str) -> set[tuple[str, UUID]]:
    """Give who made those changes."""
    rows = await conn.fetch(JOURNAL, workspace_id, UUID(bundle_id))
    return {(row["actor_kind"], row["actor_id"]) for row in rows}


async def counters(conn: Connection, workspace_id: UUID) -> dict[tuple[str, str], int]:
    """Give the counts that the one door keeps."""
    rows = await conn.fetch(COUNTERS, workspace_id)
    return {(row["kind"], row["status"]): row["n"] for row in rows}


async def everything(conn: Connection) -> dict[str, str]:
    """Give a digest of every table that an operation can write."""
    names = [row["name"] for row in await conn.fetch(TABLES)]
    return {
        name: await conn.fetchval(
            f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"
        )
        for name in names
        if name not in ADMISSION
    }
