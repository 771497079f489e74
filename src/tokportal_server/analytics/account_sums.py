"""The row of an account's latest numbers: the lock of its analytics, and the sums of its posts."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from tokportal_server.accounts.locks import account_not_found
from tokportal_server.analytics.latest import Meta
from tokportal_server.analytics.observations import POST_METRICS, Metric
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

# What belongs to the account itself; all else of it is a sum over its posts.
ACCOUNT_METRICS: Final[tuple[Metric, ...]] = ("followers", "following", "posts")
# The source of a sum whose parts come from several.
MIXED: Final = "mixed"

BEGIN_ACCOUNT = """
INSERT INTO account_latest (workspace_id, saved_account_id)
SELECT workspace_id, id FROM saved_accounts WHERE workspace_id = $1 AND id = $2
ON CONFLICT DO NOTHING
"""
LOCK_ACCOUNT = """
SELECT l.*, a.platform, a.country FROM account_latest l
  JOIN saved_accounts a ON a.workspace_id = l.workspace_id AND a.id = l.saved_account_id
 WHERE l.workspace_id = $1 AND l.saved_account_id = $2
   FOR UPDATE OF l
"""


def _sums(metric: Metric) -> str:
    """Add up one metric over posts: the value, the time of its oldest part, its sources."""
    known = f"FILTER (WHERE {metric} IS NOT NULL)"
    meta = f"meta -> '{metric}'"
    return f"""
       sum({metric})::bigint AS {metric},
       min({meta} ->> 'collected_at') {known} AS {metric}_at,
       min({meta} ->> 'source') {known} AS {metric}_source,
       max({meta} ->> 'source') {known} AS {metric}_other_source,
       (array_agg({meta} ORDER BY {meta} ->> 'collected_at' DESC, {meta} ->> 'source' DESC)
        FILTER (WHERE {metric} IS NULL AND meta ? '{metric}'))[1] AS {metric}_missing,"""


_ALL_KNOWN = " AND ".join(f"{m} IS NOT NULL" for m in ("views", "likes", "comments", "shares"))
# Of tracked posts, whichever they are: what :func:`meta_of_sums` reads.
POST_SUMS: Final = f"""
       {"".join(_sums(metric) for metric in POST_METRICS)}
       sum(likes + comments + shares) FILTER (WHERE {_ALL_KNOWN})::bigint AS engagements,
       sum(views) FILTER (WHERE {_ALL_KNOWN})::bigint AS engaged_views,
       count(*)::integer AS tracked_posts
"""
SUM_POSTS = f"""
SELECT {POST_SUMS} FROM tracked_posts WHERE workspace_id = $1 AND saved_account_id = $2
"""
STORE_SUMS = """
UPDATE account_latest
   SET views = $3, likes = $4, comments = $5, shares = $6, bookmarks = $7, engagements = $8,
       engaged_views = $9, tracked_posts = $10, meta = (meta - $11::text[]) || $12::jsonb
 WHERE workspace_id = $1 AND saved_account_id = $2
"""


async def lock_numbers(tx: UnitOfWork, account_id: UUID) -> Row:
    """Lock the numbers of an account, and give their row with its platform and country.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    await tx.conn.execute(BEGIN_ACCOUNT, tx.workspace_id, account_id)
    row = await tx.conn.fetchrow(LOCK_ACCOUNT, tx.workspace_id, account_id)
    if row is None:
        raise account_not_found(account_id)
    return row


async def sum_up(tx: UnitOfWork, account_id: UUID) -> None:
    """Add up the posts of an account anew; locks its numbers if the caller has not."""
    await lock_numbers(tx, account_id)
    sums = existing(await tx.conn.fetchrow(SUM_POSTS, tx.workspace_id, account_id))
    await tx.conn.execute(
        STORE_SUMS,
        tx.workspace_id,
        account_id,
        *(sums[metric] for metric in POST_METRICS),
        sums["engagements"],
        sums["engaged_views"],
        sums["tracked_posts"],
        POST_METRICS,
        meta_of_sums(sums),
    )


def meta_of_sums(sums: Row) -> Meta:
    """Say of each sum where it comes from; a sum is as old as the oldest of its parts."""
    meta: Meta = {}
    for metric in POST_METRICS:
        if sums[metric] is not None:
            one, other = sums[f"{metric}_source"], sums[f"{metric}_other_source"]
            source = one if one == other else MIXED
            meta[metric] = {"source": source, "collected_at": sums[f"{metric}_at"]}
        elif (missing := sums[f"{metric}_missing"]) is not None:
            reason: dict[str, Any] = missing
            meta[metric] = reason
    return meta
