"""Comments under tracked posts, as they were last read."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tokportal_server.analytics.observations import Collected
from tokportal_server.analytics.strange_text import storable
from tokportal_server.lib.unit_of_work import UnitOfWork

STORE_COMMENTS = """
WITH stored AS (
    INSERT INTO post_comments AS c (workspace_id, tracked_post_id, platform_comment_id,
                                    author_handle, text, like_count, reply_count, posted_at,
                                    collected_at, source)
    SELECT t.workspace_id, t.id, n.id, n.author_handle, n.text, n.like_count, n.reply_count,
           n.posted_at, $3, $4
      FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[],
                  $11::timestamptz[])
           AS n(id, platform_post_id, author_handle, text, like_count, reply_count, posted_at)
      JOIN tracked_posts t ON t.workspace_id = $1 AND t.saved_account_id = $2
                          AND t.platform_post_id = n.platform_post_id
     ORDER BY t.id, n.id
    ON CONFLICT (workspace_id, tracked_post_id, platform_comment_id) DO UPDATE
       SET author_handle = excluded.author_handle, text = excluded.text,
           like_count = excluded.like_count, reply_count = excluded.reply_count,
           posted_at = excluded.posted_at, collected_at = excluded.collected_at,
           source = excluded.source
     WHERE c.collected_at < excluded.collected_at
    RETURNING 1
)
SELECT count(*) FROM stored
"""
# Longer than any platform lets a comment or a name be.
_LONGEST_TEXT = 10_000
_LONGEST_HANDLE = 200


async def store_comments(
    tx: UnitOfWork, account_id: UUID, collected: Collected, moment: datetime
) -> int:
    """Store comments under tracked posts, and give how many are new or newer; drop the others."""
    comments = {(c.platform_post_id, c.id): c for c in collected.comments}.values()
    if not comments:
        return 0
    stored: int = await tx.conn.fetchval(
        STORE_COMMENTS,
        tx.workspace_id,
        account_id,
        moment,
        collected.source,
        [comment.id for comment in comments],
        [comment.platform_post_id for comment in comments],
        [storable(comment.author_handle, _LONGEST_HANDLE) for comment in comments],
        [storable(comment.text, _LONGEST_TEXT) for comment in comments],
        [comment.like_count for comment in comments],
        [comment.reply_count for comment in comments],
        [comment.posted_at for comment in comments],
    )
    return stored
