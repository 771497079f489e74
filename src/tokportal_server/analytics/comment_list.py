"""Comments under an account's tracked posts, as they were last read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.analytics.errors import post_not_found
from tokportal_server.analytics.wire import PostComment
from tokportal_server.http.validation import Problem
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection

FIND_POST = """
SELECT id FROM tracked_posts
 WHERE workspace_id = $1 AND saved_account_id = $2 AND (id = $3 OR platform_post_id = $4)
"""
LIST_COMMENTS = """
SELECT c.* FROM post_comments c
  JOIN tracked_posts t ON t.workspace_id = c.workspace_id AND t.id = c.tracked_post_id
 WHERE c.workspace_id = $1 AND t.saved_account_id = $2
   AND ($3::uuid IS NULL OR c.tracked_post_id = $3)
 ORDER BY c.posted_at DESC NULLS LAST, c.id LIMIT $4
"""


class ListCommentsQuery(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Under which post; without one, under all of the account."""

    tracked_post_id: Annotated[UUID | None, Meta(description="The post by our id.")] = None
    post_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=200)] | None,
        Meta(description="The post by the platform's id."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=200, description="Most comments to give.")] = 50

    def problems(self) -> Iterator[Problem]:
        """Yield a second name for the post."""
        if self.tracked_post_id is not None and self.post_id is not None:
            yield Problem("postId", "must not be given beside trackedPostId; name the post once")


async def list_comments(
    conn: Connection, workspace_id: UUID, account_id: UUID, query: ListCommentsQuery
) -> list[PostComment]:
    """Give comments, those that were posted last first.

    Raises:
        PostNotFoundError: the account has no such tracked post.
    """
    post_id = None
    if query.tracked_post_id is not None or query.post_id is not None:
        post_id = await conn.fetchval(
            FIND_POST, workspace_id, account_id, query.tracked_post_id, query.post_id
        )
        if post_id is None:
            raise post_not_found(query.tracked_post_id or query.post_id)
    rows = await conn.fetch(LIST_COMMENTS, workspace_id, account_id, post_id, query.limit)
    return [
        PostComment(
            id=row["id"],
            tracked_post_id=row["tracked_post_id"],
            author_handle=row["author_handle"],
            text=row["text"],
            like_count=row["like_count"],
            reply_count=row["reply_count"],
            posted_at=wire_time(row["posted_at"]),
            collected_at=wire_time(row["collected_at"]),
            source=row["source"],
        )
        for row in rows
    ]
