"""Make the daily rollups of a workspace anew from its snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tokportal_server.analytics.account_sums import ACCOUNT_METRICS, lock_numbers, sum_up
from tokportal_server.analytics.day_rows import STORE_BEGUN, day_columns
from tokportal_server.analytics.rollups import Days, add_chain, day_of
from tokportal_server.analytics.snapshots import Chain, account_chain, post_chains
from tokportal_server.analytics.tracking import track_finalized
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.locks import Row

WORKSPACES = "SELECT id FROM workspaces ORDER BY id"
ACCOUNTS = """
SELECT saved_account_id FROM account_latest WHERE workspace_id = $1 ORDER BY saved_account_id
"""
POSTS = """
SELECT id, imported, first_read_at, read_at FROM tracked_posts
 WHERE workspace_id = $1 AND saved_account_id = $2 AND read_at IS NOT NULL
"""
CLEAR_ACCOUNT_DAYS = """
DELETE FROM account_days WHERE workspace_id = $1 AND saved_account_id = $2 AND day > $3
"""
FILL_ACCOUNT_DAYS = """
INSERT INTO account_days (workspace_id, saved_account_id, metric, day, baseline, gain, fall, seen)
SELECT $1, $2, n.* FROM unnest($3::text[], $4::date[], $5::bigint[], $6::bigint[], $7::bigint[],
                               $8::bigint[]) AS n
"""
FIRST_DAYS = """
SELECT metric, min(day)::text AS day FROM account_days
 WHERE workspace_id = $1 AND saved_account_id = $2 GROUP BY metric
"""
# Whoever stores readings holds one of these rows, and so waits.
LOCK_WORKSPACE = """
SELECT FROM account_latest WHERE workspace_id = $1 ORDER BY saved_account_id FOR UPDATE
"""
CLEAR_WORKSPACE_DAYS = "DELETE FROM workspace_days WHERE workspace_id = $1"
FILL_WORKSPACE_DAYS = """
INSERT INTO workspace_days (workspace_id, metric, day, platform, country, baseline, gain, fall,
                            seen, accounts_seen)
SELECT d.workspace_id, d.metric, d.day, a.platform, a.country, sum(d.baseline), sum(d.gain),
       sum(d.fall), sum(d.seen), count(*)
  FROM account_days d
  JOIN saved_accounts a ON a.workspace_id = d.workspace_id AND a.id = d.saved_account_id
 WHERE d.workspace_id = $1
 GROUP BY d.workspace_id, d.metric, d.day, a.platform, a.country
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How much was made anew: accounts, posts of theirs that were not tracked, and days."""

    accounts: int
    posts_tracked: int
    days: int


async def list_workspaces(conn: Connection) -> list[UUID]:
    """Give every workspace that has rollups, or could have some."""
    return [row["id"] for row in await conn.fetch(WORKSPACES)]


async def rebuild_rollups(*, conn: Connection, workspace_id: UUID) -> Rebuilt:
    """Make the rollups of a workspace anew; collections may go on meanwhile.

    Account by account in transactions of their own, then the workspace as their sum. Days of which
    snapshots are gone by their retention stay as they are, for nothing could make them again.
    """
    async with unit_of_work(conn, workspace_id, now=real_now()) as tx:
        tracked = await track_finalized(tx)
    accounts = await conn.fetch(ACCOUNTS, workspace_id)
    days = 0
    for row in accounts:
        async with unit_of_work(conn, workspace_id, now=real_now()) as tx:
            days += await _rebuild_account(tx, row["saved_account_id"])
    async with unit_of_work(conn, workspace_id, now=real_now()) as tx:
        await conn.execute(LOCK_WORKSPACE, workspace_id)
        await conn.execute(CLEAR_WORKSPACE_DAYS, workspace_id)
        await conn.execute(FILL_WORKSPACE_DAYS, workspace_id)
    return Rebuilt(len(accounts), tracked, days)


async def _rebuild_account(tx: UnitOfWork, account_id: UUID) -> int:
    account = await lock_numbers(tx, account_id)
    posts = await tx.conn.fetch(POSTS, tx.workspace_id, account_id)
    found = await post_chains(tx, [post["id"] for post in posts])
    of_account = await account_chain(tx, account_id, ACCOUNT_METRICS)
    days: Days = {}
    for post in posts:
        if (chain := found.get(post["id"])) is not None:
            _add(days, chain, born=not post["imported"])
    _add(days, of_account, born=False)
    kept = _last_day_to_keep(posts, found, account, of_account)
    days = {key: parts for key, parts in days.items() if key[1] > kept}
    await tx.conn.execute(CLEAR_ACCOUNT_DAYS, tx.workspace_id, account_id, kept)
    await tx.conn.execute(FILL_ACCOUNT_DAYS, tx.workspace_id, account_id, *day_columns(days))
    first = await tx.conn.fetch(FIRST_DAYS, tx.workspace_id, account_id)
    begun = {row["metric"]: row["day"] for row in first}
    await tx.conn.execute(STORE_BEGUN, tx.workspace_id, account_id, begun)
    await sum_up(tx, account_id)
    return len(days)


def _add(days: Days, chain: Chain, *, born: bool) -> None:
    for metric, sightings in chain.sightings.items():
        add_chain(days, metric, sightings, born=born)


def _last_day_to_keep(
    posts: Sequence[Row], found: dict[UUID, Chain], account: Row, of_account: Chain
) -> date:
    """Give the last day that depends on snapshots which are gone; the day before all if none."""
    kept = date.min
    for post in posts:
        chain = found.get(post["id"])
        first = _first(chain.readings) if chain else None
        if first is None or post["first_read_at"] < first:
            kept = max(kept, day_of(first or post["read_at"]))
    began = min((account["begun"].get(m, "9999") for m in ACCOUNT_METRICS), default="9999")
    first = _first(of_account.readings)
    if account["read_at"] is not None and (first is None or began < day_of(first).isoformat()):
        kept = max(kept, day_of(first or account["read_at"]))
    return kept


def _first(readings: Iterable[tuple[datetime, str]]) -> datetime | None:
    return min((at for at, _ in readings), default=None)
