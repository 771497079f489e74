"""Append-only tables are partitioned by the month: the coming ones are made, the old ones dropped.

The SQL functions stand in the migrations; months are of the real clock, whatever a workspace has.
"""

from __future__ import annotations

from datetime import timedelta

from tokportal_server.lib.db import Connection

# Read from the catalogue, so that no table can be left off a list.
MAKE_PARTITIONS = """
SELECT sum(ensure_month_partitions(c.relname::text, 3))
  FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
 WHERE pg_table_is_visible(c.oid)
"""
DROP_MONTHS = "SELECT drop_old_partitions($1, $2)"


async def make_months(conn: Connection) -> None:
    """Make the partitions of this month and the next three, of every table that has them."""
    await conn.fetchval(MAKE_PARTITIONS)


async def drop_months(conn: Connection, table: str, keep: timedelta) -> int:
    """Drop the months of a table that ended longer ago than ``keep``; give how many there were."""
    dropped: int = await conn.fetchval(DROP_MONTHS, table, keep)
    return dropped
