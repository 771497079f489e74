"""Tracked posts as a CSV file of any length, in constant memory (``exportAnalyticsVideos``).

Pages of rows are read on connections of their own, each given back before its rows are sent: a slow
receiver holds nothing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Final

from msgspec import Meta

from tokportal_server.analytics.filters import POSTS, FilterQuery, Filters
from tokportal_server.analytics.post_list import POST_COLUMNS, POSTS_AND_ACCOUNTS, post_rate
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.csv_rows import BYTE_ORDER_MARK, csv_line, csv_lines
from tokportal_server.lib.db import Database
from tokportal_server.orders.locks import Row

COLUMNS: Final = (
    "tracked_post_id",
    "video_id",
    "account_id",
    "username",
    "platform",
    "country",
    "platform_url",
    "description",
    "published_at",
    "views",
    "likes",
    "comments",
    "shares",
    "bookmarks",
    "engagement_rate",
    "source",
    "collected_at",
)
# Those tracked last come first; $8 is where the page before has ended.
PAGE_OF_POSTS = f"""
SELECT t.ordinal, {POST_COLUMNS}{POSTS_AND_ACCOUNTS} WHERE {POSTS}
   AND ($7::text IS NULL OR a.username ILIKE $7 OR t.description ILIKE $7
        OR t.platform_url ILIKE $7)
   AND t.ordinal < $8
 ORDER BY t.ordinal DESC LIMIT $9
"""
_PAGE: Final = 1000
# Greater than every ordinal, so that the first page is found as all others are.
_NEWEST: Final = 2**63 - 1
_WILDCARDS = re.compile(r"([\\%_])")


class ExportQuery(FilterQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which posts."""

    q: Annotated[
        Annotated[str, Meta(min_length=1, max_length=200)] | None,
        Meta(description="What username, description or address contains, in any case."),
    ] = None


async def export_posts(
    database: Database, filters: Filters, search: str | None
) -> AsyncIterator[bytes]:
    """Give the file, piece by piece: a header, then every post that the filters leave.

    RFC 4180, UTF-8 with a byte order mark, every cell quoted; what is unknown is empty. No cell
    opens as a formula: an apostrophe stands in front of one that would.
    """
    pattern = search and "%" + _WILDCARDS.sub(r"\\\1", search) + "%"
    yield BYTE_ORDER_MARK + csv_line(COLUMNS)
    after = _NEWEST
    while True:
        async with database.connection() as conn:
            rows = await conn.fetch(PAGE_OF_POSTS, *filters.of_posts, pattern, after, _PAGE)
        if rows:
            yield csv_lines(_cells(row) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1]["ordinal"]


def _cells(row: Row) -> list[object]:
    return [
        row["id"],
        row["slot_id"],
        row["saved_account_id"],
        row["username"],
        row["platform"],
        row["country"],
        row["platform_url"],
        row["description"],
        wire_time(row["published_at"]),
        *(row[metric] for metric in ("views", "likes", "comments", "shares", "bookmarks")),
        post_rate(row),
        row["read_source"],
        wire_time(row["read_at"]),
    ]
