"""The stored comments that a pulse is taken of, and who may have it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.analytics.belonging import require_own_posts
from tokportal_server.analytics.filters import ACCOUNTS, FilterQuery, Ids, Names, read_filters
from tokportal_server.analytics.levels import require_level
from tokportal_server.analytics.period import Boundary
from tokportal_server.analytics.pulse.counting import CommentPulse, PlatformOff, pulse_of
from tokportal_server.analytics.pulse.platforms import NOT_READ, OWN_SOURCES
from tokportal_server.lib.db import Connection

# The newest posts first; of their comments the newest of all.
FIND_COMMENTS = f"""
WITH posts AS (
    SELECT t.id, a.platform FROM tracked_posts t
      JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
     WHERE {ACCOUNTS} AND ($5::uuid[] IS NULL OR t.id = ANY ($5))
     ORDER BY t.published_at DESC NULLS LAST, t.id LIMIT $6
)
SELECT c.id, c.tracked_post_id, c.author_handle, c.text, c.like_count, c.posted_at
  FROM posts p JOIN post_comments c ON c.workspace_id = $1 AND c.tracked_post_id = p.id
 WHERE (p.platform <> ALL ($7::text[]) OR c.source = ANY ($8::text[]))
   AND ($9::timestamptz IS NULL OR COALESCE(c.posted_at, c.collected_at) >= $9)
   AND ($10::timestamptz IS NULL OR COALESCE(c.posted_at, c.collected_at) < $10)
 ORDER BY COALESCE(c.posted_at, c.collected_at) DESC, c.id LIMIT $11
"""
# Platforms of the workspace's accounts that are not read, if they were asked for; in a rehearsal
# there is nothing but what it made up.
FIND_NOT_READ = """
SELECT DISTINCT a.platform FROM saved_accounts a JOIN workspaces w ON w.id = a.workspace_id
 WHERE a.workspace_id = $1 AND NOT w.rehearsal AND a.platform = ANY ($2::text[])
   AND ($3::text[] IS NULL OR a.platform = ANY ($3))
 ORDER BY a.platform
"""
_MOST_COMMENTS: Final = 2000
_MOST_POSTS: Final = 500


class CommentPulseQuery(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"from_": "from", "post_limit": "postLimit"},
):
    """Whose comments, of when, and how many at most; filters may be repeated."""

    platform: Annotated[Names | None, Meta(description="Repeat it for several.")] = None
    country: Annotated[Names | None, Meta(description="Repeat it for several.")] = None
    account: Annotated[Ids | None, Meta(description="Repeat it for several.")] = None
    post: Annotated[Ids | None, Meta(description="Tracked posts; repeat it for several.")] = None
    limit: Annotated[int, Meta(ge=1, le=_MOST_COMMENTS)] = 500
    post_limit: Annotated[int, Meta(ge=1, le=_MOST_POSTS)] = 100
    from_: Annotated[
        Boundary | None, Meta(description="Leave out comments that were written before.")
    ] = None
    to: Annotated[
        Boundary | None, Meta(description="Leave out comments that were written after.")
    ] = None


async def comment_pulse(
    conn: Connection, workspace_id: UUID, query: CommentPulseQuery, *, now: datetime
) -> CommentPulse:
    """Take the pulse of the newest comments that a query means; without a period, of any time.

    Raises:
        AnalyticsLevelRequiredError: the plan is below ``full``.
        SavedAccountNotFoundError, PostNotFoundError: a filter names what is not the workspace's.
        ValidationError: the period is none.
    """
    await require_level(conn, workspace_id, "full", what="The comment pulse")
    await require_own_posts(conn, workspace_id, query.post)
    asked = FilterQuery(
        platform=query.platform,
        country=query.country,
        account=query.account,
        from_=query.from_,
        to=query.to,
    )
    filters = await read_filters(conn, workspace_id, asked, now=now)
    rows = await conn.fetch(
        FIND_COMMENTS,
        *filters.of_accounts,
        query.post,
        query.post_limit,
        list(NOT_READ),
        OWN_SOURCES,
        filters.period and filters.period.since,
        filters.period and filters.period.until,
        query.limit,
    )
    off = await conn.fetch(FIND_NOT_READ, workspace_id, list(NOT_READ), filters.platforms)
    not_read = [PlatformOff(row["platform"], NOT_READ[row["platform"]]) for row in off]
    # Thousands of comments take a moment, in which others are to be answered.
    return await asyncio.to_thread(pulse_of, rows, not_read)
