"""Which posts are tracked: those of finalized slots, and those that a refresh has found.

A listener of ``video.finalized`` tracks a slot's post, for slots know nothing of analytics.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from tokportal_server.analytics.account_sums import sum_up
from tokportal_server.analytics.observations import TrackedPost
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, Database
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.orders.post_urls import is_post_url, post_key

# The job of the listener; entry gives it to the dispatcher and to the runner.
TRACK_POST_JOB: Final = "track_post"
TRACKED_EVENTS: Final = frozenset({"video.finalized"})

LIST_TRACKED = """
SELECT id, platform_post_id, platform_url FROM tracked_posts
 WHERE workspace_id = $1 AND saved_account_id = $2 ORDER BY ordinal DESC
"""
# Slots whose post is not tracked; $2 names one slot, or is null for all of the workspace.
UNTRACKED = """
SELECT s.id, b.saved_account_id, a.platform, s.platform_url, s.submitted_at,
       s.content ->> 'description' AS description
  FROM slots s
  JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
  JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE s.workspace_id = $1 AND ($2::uuid IS NULL OR s.id = $2)
   AND s.status = 'finalized' AND s.platform_url IS NOT NULL
   AND NOT EXISTS (SELECT FROM tracked_posts t
                    WHERE t.workspace_id = s.workspace_id AND t.slot_id = s.id)
 ORDER BY s.id
"""
# A refresh may have found the post before its slot was finalized: then it is the same post.
TRACK = """
INSERT INTO tracked_posts AS t (workspace_id, saved_account_id, slot_id, post_key, platform_url,
                                description, published_at, imported, tracked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, false, $8)
ON CONFLICT (workspace_id, saved_account_id, post_key) DO UPDATE SET slot_id = excluded.slot_id
 WHERE t.slot_id IS NULL
"""
CLOCK_OFFSET = "SELECT clock_offset FROM workspaces WHERE id = $1"


async def tracked_posts(
    conn: Connection, workspace_id: UUID, account_id: UUID
) -> list[TrackedPost]:
    """Give the posts of an account that are tracked, the newest first."""
    rows = await conn.fetch(LIST_TRACKED, workspace_id, account_id)
    return [TrackedPost(**row) for row in rows]


class FinalizedPostListener:
    """Tracks the post of a finalized slot; run again, it finds nothing left to do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, payload: dict[str, Any]) -> None:
        """Handle one job of the dispatcher."""
        workspace_id = UUID(payload["workspace_id"])
        async with self._database.connection() as conn:
            offset = await conn.fetchval(CLOCK_OFFSET, workspace_id)
            async with unit_of_work(conn, workspace_id, now=real_now() + offset) as tx:
                await track_finalized(tx, UUID(payload["data"]["video_id"]))


async def track_finalized(tx: UnitOfWork, slot_id: UUID | None = None) -> int:
    """Track the post of a finalized slot, or of every one; give how many were not tracked yet.

    A story has no address that lasts, so it is not tracked.
    """
    rows = await tx.conn.fetch(UNTRACKED, tx.workspace_id, slot_id)
    posts = [row for row in rows if is_post_url(row["platform"], row["platform_url"])]
    for row in posts:
        await tx.conn.execute(
            TRACK,
            tx.workspace_id,
            row["saved_account_id"],
            row["id"],
            post_key(row["platform"], row["platform_url"]),
            row["platform_url"],
            row["description"],
            row["submitted_at"],
            tx.now,
        )
    for account_id in sorted({row["saved_account_id"] for row in posts}):
        await sum_up(tx, account_id)
    return len(posts)
