"""Tracked posts with their latest numbers."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta

from tokportal_server.accounts.locks import account_not_found
from tokportal_server.analytics.errors import AnalyticsNotFoundError
from tokportal_server.analytics.filters import POSTS, Filters
from tokportal_server.analytics.observations import POST_METRICS
from tokportal_server.analytics.rates import RATE, rate_meta, rate_of
from tokportal_server.analytics.wire import PostNumbers, meta_of
from tokportal_server.http.paging import Page, PageQuery
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import VideoNotFoundError
from tokportal_server.orders.locks import Row

_RATE = "100.0 * (t.likes + t.comments + t.shares) / NULLIF(t.views, 0)"
POST_COLUMNS = f"""t.id, t.slot_id, t.saved_account_id, a.username, a.platform, a.country,
       t.platform_url, t.description, t.published_at, {", ".join(f"t.{m}" for m in POST_METRICS)},
       t.meta, t.read_at, t.read_source"""
POSTS_AND_ACCOUNTS = """
  FROM tracked_posts t
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
"""
_OF_ACCOUNT = " WHERE t.workspace_id = $1 AND t.saved_account_id = $2"
# What is unknown comes last whichever way one sorts; the newest first among equals.
_SORTS = {
    **{name: f"t.{name}" for name in ("views", "likes", "comments", "shares", "published_at")},
    "engagement_rate": _RATE,
}
_ORDER = (
    "".join(
        f" CASE WHEN $3 = '{name} {way}' THEN {column} END {way} NULLS LAST,"
        for name, column in _SORTS.items()
        for way in ("asc", "desc")
    )
    + " t.ordinal DESC"
)
LIST_POSTS = (
    f"SELECT {POST_COLUMNS}{POSTS_AND_ACCOUNTS}{_OF_ACCOUNT} ORDER BY{_ORDER} LIMIT $4 OFFSET $5"
)
COUNT_POSTS = """
SELECT (SELECT count(*) FROM tracked_posts t
         WHERE t.workspace_id = a.workspace_id AND t.saved_account_id = a.id)
  FROM saved_accounts a WHERE a.workspace_id = $1 AND a.id = $2
"""
POST_OF_SLOT = (
    f"SELECT {POST_COLUMNS}{POSTS_AND_ACCOUNTS} WHERE t.workspace_id = $1 AND t.slot_id = $2"
)
SLOT_STATUS = "SELECT status FROM slots WHERE workspace_id = $1 AND id = $2"
# The best are picked before their rows are read whole.
TOP_POSTS = f"""
SELECT {POST_COLUMNS}
  FROM (SELECT t.workspace_id, t.id{POSTS_AND_ACCOUNTS} WHERE {POSTS} AND t.views IS NOT NULL
         ORDER BY t.views DESC, t.ordinal DESC LIMIT $7) best
  JOIN tracked_posts t ON t.workspace_id = best.workspace_id AND t.id = best.id
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
 ORDER BY t.views DESC, t.ordinal DESC
"""
TOP: Final = 10

SortBy = Literal["views", "likes", "comments", "shares", "published_at", "engagement_rate"]


class ListPostsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to sort an account's posts."""

    sort_by: Annotated[
        SortBy, Meta(description="What to sort by; posts of which it is unknown come last.")
    ] = "published_at"
    sort_order: Annotated[Literal["asc", "desc"], Meta(description="Which way to sort.")] = "desc"


async def list_posts(
    conn: Connection, workspace_id: UUID, account_id: UUID, query: ListPostsQuery
) -> tuple[list[PostNumbers], Page]:
    """Give a page of an account's tracked posts.

    Raises:
        SavedAccountNotFoundError: the workspace has no such account.
    """
    total = await conn.fetchval(COUNT_POSTS, workspace_id, account_id)
    if total is None:
        raise account_not_found(account_id)
    order = f"{query.sort_by} {query.sort_order}"
    rows = await conn.fetch(
        LIST_POSTS, workspace_id, account_id, order, query.per_page, query.offset
    )
    return [post_numbers(row) for row in rows], query.of(total)


async def post_of_slot(conn: Connection, workspace_id: UUID, slot_id: UUID) -> PostNumbers:
    """Give the numbers of a slot's post.

    Raises:
        VideoNotFoundError: the workspace has no such slot.
        AnalyticsNotFoundError: its post is not tracked: it is not finalized, or is a story.
    """
    row = await conn.fetchrow(POST_OF_SLOT, workspace_id, slot_id)
    if row is not None:
        return post_numbers(row)
    status = await conn.fetchval(SLOT_STATUS, workspace_id, slot_id)
    if status is None:
        raise VideoNotFoundError(
            f"No video {slot_id} in this workspace. Take the id of a slot that"
            " GET /bundles/{id}/videos lists."
        )
    raise AnalyticsNotFoundError(
        f"Video {slot_id} is {status}: its post has no analytics. A post is tracked once its slot"
        " is finalized; stories are not tracked.",
        details={"status": status},
    )


async def top_posts(conn: Connection, filters: Filters, *, limit: int = TOP) -> list[PostNumbers]:
    """Give the posts with the most views; those of which no views are known are left out."""
    rows = await conn.fetch(TOP_POSTS, *filters.of_posts, limit)
    return [post_numbers(row) for row in rows]


def post_numbers(row: Row) -> PostNumbers:
    """Write a row of :data:`POST_COLUMNS` as the contract has it."""
    values: dict[str, int | None] = {metric: row[metric] for metric in POST_METRICS}
    meta = meta_of(row["meta"], POST_METRICS)
    rate = post_rate(row)
    meta[RATE] = rate_meta(values, meta, rate)
    return PostNumbers(
        tracked_post_id=row["id"],
        video_id=row["slot_id"],
        account_id=row["saved_account_id"],
        username=row["username"],
        platform=row["platform"],
        country=row["country"],
        platform_url=row["platform_url"],
        description=row["description"],
        published_at=wire_time(row["published_at"]),
        **values,
        engagement_rate=rate,
        source=row["read_source"],
        collected_at=wire_time(row["read_at"]),
        metrics_meta=meta,
    )


def post_rate(row: Row) -> float | None:
    """Give the engagement rate of a post."""
    parts = [row[metric] for metric in ("likes", "comments", "shares")]
    return rate_of(None if None in parts else sum(parts), row["views"])
