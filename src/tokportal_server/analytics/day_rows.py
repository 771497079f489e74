"""Writing what changes into the daily rollups, of an account and of its workspace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from tokportal_server.analytics.rollups import Days
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

ADD_ACCOUNT_DAYS = """
INSERT INTO account_days AS d (workspace_id, saved_account_id, metric, day, baseline, gain, fall,
                               seen)
SELECT $1, $2, n.* FROM unnest($3::text[], $4::date[], $5::bigint[], $6::bigint[], $7::bigint[],
                               $8::bigint[]) AS n
ON CONFLICT (workspace_id, saved_account_id, metric, day) DO UPDATE
   SET baseline = d.baseline + excluded.baseline, gain = d.gain + excluded.gain,
       fall = d.fall + excluded.fall, seen = d.seen + excluded.seen
RETURNING d.metric, d.day, d.xmax = 0 AS new
"""
# In the order of the key, so that refreshes of two accounts do not wait for each other crosswise.
ADD_WORKSPACE_DAYS = """
INSERT INTO workspace_days AS d (workspace_id, platform, country, metric, day, baseline, gain, fall,
                                 seen, accounts_seen)
SELECT $1, $2, $3, n.*
  FROM unnest($4::text[], $5::date[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
              $10::integer[]) AS n(metric, day, baseline, gain, fall, seen, accounts)
 ORDER BY n.metric, n.day
ON CONFLICT (workspace_id, metric, day, platform, country) DO UPDATE
   SET baseline = d.baseline + excluded.baseline, gain = d.gain + excluded.gain,
       fall = d.fall + excluded.fall, seen = d.seen + excluded.seen,
       accounts_seen = d.accounts_seen + excluded.accounts_seen
"""
STORE_BEGUN = """
UPDATE account_latest SET begun = $3 WHERE workspace_id = $1 AND saved_account_id = $2
"""

_PARTS = ("baseline", "gain", "fall", "seen")


def day_columns(days: Days) -> list[list[Any]]:
    """Turn days into columns of metric, day and parts, in the order of the tables' keys."""
    keys = sorted(days)
    return [
        [metric for metric, _ in keys],
        [day for _, day in keys],
        *([getattr(days[key], part) for key in keys] for part in _PARTS),
    ]


async def add_days(tx: UnitOfWork, account: Row, days: Days) -> None:
    """Add what changes to the days of a locked account (``lock_numbers``) and its workspace."""
    if not days:
        return
    columns = day_columns(days)
    account_id = account["saved_account_id"]
    rows = await tx.conn.fetch(ADD_ACCOUNT_DAYS, tx.workspace_id, account_id, *columns)
    new = {(row["metric"], row["day"]) for row in rows if row["new"]}
    await tx.conn.execute(
        ADD_WORKSPACE_DAYS,
        tx.workspace_id,
        account["platform"],
        account["country"],
        *columns,
        [int(key in new) for key in zip(*columns[:2], strict=True)],
    )
    begun = earliest(account["begun"], new)
    if begun != account["begun"]:
        await tx.conn.execute(STORE_BEGUN, tx.workspace_id, account_id, begun)


def earliest(begun: Mapping[str, str], days: set[tuple[str, date]]) -> dict[str, str]:
    """Give the first day of each metric, of those known so far and the new ones."""
    first = dict(begun)
    for metric, day in days:
        first[metric] = min(first.get(metric, "9999"), day.isoformat())
    return first
