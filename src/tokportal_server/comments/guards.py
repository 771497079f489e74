"""Guards against brigading: one comment a day for each post, and no text twice.

Both look at the workspace's tasks of the last 24 hours that were not cancelled; tasks of one call
are judged one after the other, as if each had come alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from tokportal_server.comments.errors import CommentLimitPerTargetError, CommentTextDuplicateError
from tokportal_server.comments.rules import GUARDED, LIKE, CommentGuards
from tokportal_server.comments.similarity import LikeTexts
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork

# Calls of one workspace queue up here, so that the later one sees what the earlier one ordered.
# Comes before every lock of a row.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('comments:' || $1::uuid::text, 0))"
RECENT_TARGETS = """
SELECT platform, target_post, max(created_at) AS created_at FROM comment_tasks
 WHERE workspace_id = $1 AND created_at > $2 AND status <> 'cancelled'
   AND target_post = ANY ($3::text[])
 GROUP BY platform, target_post
"""
RECENT_TEXTS = """
SELECT saved_account_id, comment_text FROM comment_tasks
 WHERE workspace_id = $1 AND created_at > $2 AND status <> 'cancelled'
 ORDER BY created_at DESC LIMIT $3
"""
# With how many texts, the newest, a new one is compared: a bound on the work of one call.
COMPARED = 2000


class RecentComments:
    """What the guards know; grows with each task that they let pass."""

    def __init__(self, rules: CommentGuards, now: datetime) -> None:
        self._rules = rules
        self._now = now
        self._targets: dict[tuple[str, str], datetime] = {}
        self._texts = LikeTexts(LIKE)

    @classmethod
    async def read(cls, tx: UnitOfWork, rules: CommentGuards, posts: Sequence[str]) -> Self:
        """Lock the workspace's ordering of comments, and read what ``posts`` are judged by."""
        await tx.conn.execute(LOCK, tx.workspace_id)
        self = cls(rules, tx.now)
        since = tx.now - GUARDED
        if rules.per_target:
            for row in await tx.conn.fetch(RECENT_TARGETS, tx.workspace_id, since, posts):
                self._targets[row["platform"], row["target_post"]] = row["created_at"]
        if rules.like_texts:
            for row in await tx.conn.fetch(RECENT_TEXTS, tx.workspace_id, since, COMPARED):
                self._texts.add(row["saved_account_id"], row["comment_text"])
        return self

    def admit(self, account_id: UUID, platform: str, post: str, text: str) -> None:
        """Let a task pass, and remember it.

        Raises:
            CommentLimitPerTargetError, CommentTextDuplicateError: a guard stops it.
        """
        before = self._targets.get((platform, post))
        if before is not None:
            allowed_at = wire_time(before + GUARDED)
            raise CommentLimitPerTargetError(
                "target_video_url: this post has a comment task of yours from the last 24 hours;"
                f" the next one is possible from {allowed_at} on.",
                details={"field": "target_video_url", "allowed_at": allowed_at},
            )
        like = self._texts.of_others(account_id, text)
        if like is not None:
            raise CommentTextDuplicateError(
                "comment_text: another account of yours was given nearly the same text in the last"
                f" 24 hours: {like[:80]!r}. Write another one.",
                details={"field": "comment_text"},
            )
        if self._rules.per_target:
            self._targets[platform, post] = self._now
        if self._rules.like_texts:
            self._texts.add(account_id, text)
