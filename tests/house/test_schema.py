"""Design rules 11 and 12, read from the schema's own catalogue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tokportal_server.entry.housekeeping import Housekeeping
from tokportal_server.lib.db import Connection, Database

# Tables that belong to no workspace, and why.
SHARED = {
    "alembic_version": "which schema this is",
    "countries": "reference data of the installation",
    "doctor_runs": "the doctor examines the whole installation",
    "earning_rates": "what managers earn is the installation's to set",
    "earning_statements": "managers work for many workspaces",
    "erasures": "of workspaces and of people",
    "installation": "which installation this is",
    "kill_switches": "what the operator stopped; may be everything at once",
    "managers": "people work for many workspaces",
    "notice_choices": "as people",
    "people": "a person may belong to several workspaces",
    "person_links": "as people",
    "person_sessions": "as people",
    "pgqueuer": "PGQueuer's own table; the payload names the workspace",
    "pgqueuer_log": "as pgqueuer",
    "pgqueuer_schedules": "as pgqueuer",
    "pgqueuer_statistics": "as pgqueuer",
    "platforms": "reference data of the installation",
    "prices": "prices for everybody",
    "proof_keys": "the keys are the installation's",
    "provider_pauses": "a platform's limits are for the whole installation",
    "schema_texts": "which texts made this schema",
    "sweeps": "when work over all workspaces is due again",
    "recovery_codes": "as people",
    "sealed_mails": "as people",
    "second_factors": "as people",
    "sign_in_steps": "as people",
    "vault_keys": "the keys are the installation's",
    "workspaces": "the workspaces themselves",
}
# Tables that only ever grow: by the month, so that the old is dropped and not deleted.
BY_MONTH = {
    "account_snapshots",
    "api_requests",
    "audit",
    "events",
    "journal",
    "post_snapshots",
    "webhook_deliveries",
    "webhook_payloads",
}
# Tables of facts that grow and stay in one piece, and why.
KEPT_WHOLE = {
    "credit_entries": "the books are kept for good; a business key is unique over all of them",
    "credit_entry_lots": "as credit_entries",
    "slot_proofs": "a proof is asked for years later; one a slot, found by its slot",
    "earnings": "as credit_entries, of the managers; a job is booked once over all of them",
}
_REFERENCE = "a reference row is closed, never deleted"
_PERSON = "people are erased in their row, never deleted"
_WORKSPACE = "workspaces are erased in their row, never deleted"
_LEDGER = "lots and entries are never deleted"
# Foreign keys that no index serves, and why nobody looks from the other end.
UNSERVED = {
    ("analytics_connections", "connected_by"): _PERSON,
    ("api_keys", "person_id"): _PERSON,
    ("bundle_charges", "workspace_id, entry_id"): _LEDGER,
    ("bundles", "country"): _REFERENCE,
    ("bundles", "platform"): _REFERENCE,
    ("claims", "manager_id"): _PERSON,
    ("claims", "workspace_id, bundle_id"): "bundles are never deleted; live claims have an index",
    ("comment_tasks", "manager_id"): _PERSON,
    ("comment_tasks", "platform"): _REFERENCE,
    ("comment_tasks", "workspace_id, entry_id"): _LEDGER,
    ("credit_entry_lots", "workspace_id, lot_id"): _LEDGER,
    ("earning_rates", "country"): _REFERENCE,
    ("earning_rates", "platform"): _REFERENCE,
    ("earning_rates", "set_by"): _PERSON,
    ("earning_statements", "settled_by"): _PERSON,
    ("earnings", "made_by"): _PERSON,
    ("edit_requests", "workspace_id, entry_id"): _LEDGER,
    ("kill_switches", "set_by"): _PERSON,
    ("managers", "rehearsal_workspace_id"): _WORKSPACE,
    ("media", "workspace_id, bundle_id"): "bundles are never deleted; media are found by owner",
    ("notices", "person_id"): "people are never deleted; what is shown and unread has an index",
    ("presigned_uploads", "workspace_id, bundle_id"): "bundles are never deleted",
    ("prices", "set_by"): _PERSON,
    ("saved_accounts", "country"): _REFERENCE,
    ("saved_accounts", "platform"): _REFERENCE,
    ("saved_accounts", "workspace_id, bundle_id"): "bundles are never deleted",
    ("slot_options", "workspace_id, entry_id"): _LEDGER,
    ("uploads", "workspace_id, bundle_id"): "bundles are never deleted; uploads are found by key",
    ("workspace_exports", "asked_by"): _PERSON,
    ("workspace_invitations", "invited_by"): _PERSON,
    ("workspace_members", "person_id"): _PERSON,
    ("workspace_prices", "set_by"): _PERSON,
    ("workspaces", "default_country"): _REFERENCE,
}

# Partitions repeat their parent's keys.
TABLES = """
SELECT c.relname AS name, c.relkind = 'p' AS partitioned,
       EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attname = 'workspace_id') AS of_workspace,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM pg_index i, unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_attribute a ON a.attnum = k.attnum
         WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid) AS key
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
FOREIGN_KEYS = """
SELECT c.conrelid::regclass::text AS source, c.confrelid::regclass::text AS target,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(c.confkey) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS referenced,
       EXISTS (SELECT FROM pg_index i
                WHERE i.indrelid = c.conrelid
                  -- An index of some rows serves if it leaves out only those that point nowhere.
                  AND (i.indpred IS NULL
                       OR pg_get_expr(i.indpred, i.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$')
                  AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
                  AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] <@ c.conkey) AS served
  FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
 WHERE c.contype = 'f' AND NOT r.relispartition
"""
PARTITIONS = """
SELECT p.relname AS parent, c.relname AS child, pg_get_expr(c.relpartbound, c.oid) AS bound,
       pg_get_partkeydef(p.oid) AS key
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
 WHERE c.relkind = 'r'
"""


async def _tables(conn: Connection) -> dict[str, Any]:
    return {row["name"]: row for row in await conn.fetch(TABLES)}


async def test_every_table_belongs_to_a_workspace_or_says_why_not(conn: Connection) -> None:
    tables = await _tables(conn)
    assert {name for name, table in tables.items() if not table["of_workspace"]} == set(SHARED)


async def test_a_workspace_comes_first_in_each_primary_key(conn: Connection) -> None:
    tables = await _tables(conn)
    keys = {name: table["key"] for name, table in tables.items() if name not in SHARED}
    assert len(keys) > 20
    assert {name: key for name, key in keys.items() if not key or key[0] != "workspace_id"} == {}


async def test_no_row_can_point_into_another_workspace(conn: Connection) -> None:
    rows = await conn.fetch(FOREIGN_KEYS)
    between = [row for row in rows if row["source"] not in SHARED and row["target"] not in SHARED]
    assert len(between) > 10
    loose = [
        f"{row['source']} ({', '.join(row['columns'])}) -> {row['target']}"
        for row in between
        if (row["columns"][0], row["referenced"][0]) != ("workspace_id", "workspace_id")
    ]
    assert loose == []


async def test_what_is_shared_does_not_point_into_a_workspaces_tables(conn: Connection) -> None:
    pointing = {
        (row["source"], row["target"])
        for row in await conn.fetch(FOREIGN_KEYS)
        if row["source"] in SHARED and row["target"] not in SHARED
    }
    assert pointing == set()


async def test_every_foreign_key_has_an_index_or_a_reason(conn: Connection) -> None:
    bare = {
        (row["source"], ", ".join(row["columns"]))
        for row in await conn.fetch(FOREIGN_KEYS)
        if not row["served"]
    }
    assert bare == set(UNSERVED)


async def test_what_only_grows_is_partitioned_by_the_month(conn: Connection) -> None:
    tables = await _tables(conn)
    assert {name for name, table in tables.items() if table["partitioned"]} == BY_MONTH
    rows = await conn.fetch(PARTITIONS)
    assert {row["parent"] for row in rows} == BY_MONTH
    assert {row["key"] for row in rows} == {"RANGE (recorded_at)"}
    for parent in BY_MONTH:
        bounds = [row["bound"] for row in rows if row["parent"] == parent]
        assert bounds.count("DEFAULT") == 1
        # This month and three more.
        assert len(bounds) == 5


async def test_facts_refuse_to_be_changed_and_grow_by_the_month_or_say_why_not(
    conn: Connection,
) -> None:
    guarded = await conn.fetch(
        "SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE tgfoid = 'refuse_change'::regproc AND NOT c.relispartition"
    )
    by_month = {"account_snapshots", "audit", "journal", "post_snapshots"}
    assert {row["name"] for row in guarded} == by_month | set(KEPT_WHOLE)


async def test_making_partitions_again_makes_none(conn: Connection) -> None:
    for table in BY_MONTH:
        assert await conn.fetchval("SELECT ensure_month_partitions($1, 3)", table) == 0
        assert await conn.fetchval("SELECT ensure_month_partitions($1, 5)", table) == 2
        assert await conn.fetchval("SELECT ensure_month_partitions($1, 5)", table) == 0


WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock')
"""
ROW = """
INSERT INTO journal (workspace_id, kind, object_id, root_id, to_status, actor_kind, at, recorded_at)
VALUES (gen_random_uuid(), 'bundle', gen_random_uuid(), gen_random_uuid(), 'x', 'system', now(),
        date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
        + make_interval(months => $1))
RETURNING tableoid::regclass::text
"""


async def test_each_months_rows_go_into_its_partition(conn: Connection) -> None:
    places = [await conn.fetchval(ROW, months) for months in range(5)]
    expected = await conn.fetch(
        "SELECT 'journal_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => m),"
        " 'YYYYMM') AS name FROM generate_series(0, 3) m"
    )
    assert places == [*(row["name"] for row in expected), "journal_default"]


async def test_rows_that_came_before_their_partition_do_not_stop_the_later_ones(
    conn: Connection,
) -> None:
    # As after months in which no worker ran.
    assert await conn.fetchval(ROW, 4) == "journal_default"
    assert await conn.fetchval("SELECT ensure_month_partitions('journal', 6)") == 2
    assert await conn.fetchval(ROW, 4) == "journal_default"
    assert (await conn.fetchval(ROW, 5)).startswith("journal_2")


async def test_no_partition_of_the_journal_lets_a_row_be_changed(conn: Connection) -> None:
    await conn.fetchval("SELECT ensure_month_partitions('journal', 5)")
    for months in (0, 5, 9):
        place = await conn.fetchval(ROW, months)
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute(f"DELETE FROM {place}")


async def test_housekeeping_makes_the_months_ahead_for_every_such_table(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    for row in await conn.fetch(PARTITIONS):
        if row["bound"] != "DEFAULT":
            await conn.execute(f"DROP TABLE {row['child']}")
    await Housekeeping(database, tmp_path).run_once()
    rows = await conn.fetch(PARTITIONS)
    assert len(rows) == 5 * len(BY_MONTH)


async def test_two_workers_make_the_same_partitions_without_an_error(
    database: Database, conn: Connection
) -> None:
    await conn.execute("DROP TABLE events_default")
    async with database.connection() as other:
        async with conn.transaction():
            assert await conn.fetchval("SELECT ensure_month_partitions('events', 3)") == 1
            second = asyncio.create_task(
                other.fetchval("SELECT ensure_month_partitions('events', 3)")
            )
            while not await conn.fetchval(WAITING):  # noqa: ASYNC110 - no event comes from there
                await asyncio.sleep(0)
        assert await second == 0
