"""What needs the customer now, and what happened to one bundle."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from tokportal_server.bundles.queries import list_bundles
from tokportal_server.bundles.readiness import assess, gather
from tokportal_server.bundles.wire import Bundle, ListBundlesQuery, Readiness
from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

# Each arm reads a partial index of what is rare at any moment; what is most urgent comes first.
NEEDS = """
SELECT n.*, b.title, b.platform, b.country, COALESCE(a.username, p.username) AS username FROM (
    SELECT 'account_review' AS what, bundle_id, NULL::integer AS position,
           review_deadline_at AS due_at
      FROM profiles
     WHERE workspace_id = $1 AND status = 'in_review' AND review_deadline_at IS NOT NULL
    UNION ALL
    SELECT 'slot_review', bundle_id, position, review_deadline_at FROM slots
     WHERE workspace_id = $1 AND status = 'in_review' AND review_deadline_at IS NOT NULL
    UNION ALL
    SELECT 'media_failed', bundle_id, position, NULL FROM slots
     WHERE workspace_id = $1 AND media_status = 'failed'
       AND status NOT IN ('finalized', 'cancelled')
    UNION ALL
    SELECT 'download_issue', bundle_id, position, NULL FROM slots
     WHERE workspace_id = $1 AND download_issue IS NOT NULL
       AND status IN ('accepted', 'pending_corrections')
) n
  JOIN bundles b ON b.workspace_id = $1 AND b.id = n.bundle_id
  LEFT JOIN profiles p ON p.workspace_id = $1 AND p.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = $1 AND a.id = b.saved_account_id
 ORDER BY n.due_at NULLS LAST, b.ordinal DESC, n.position LIMIT 50
"""
COUNTS = """
SELECT status, n FROM counters WHERE workspace_id = $1 AND kind = 'bundle' AND n > 0
"""
# A customer sees their own people and keys by name, and of everybody else the kind.
TIMELINE = """
SELECT j.kind, j.from_status, j.to_status, j.actor_kind, j.reason, j.at, s.position,
       COALESCE(p.name, k.name) AS actor_name
  FROM journal j
  LEFT JOIN slots s ON s.workspace_id = j.workspace_id AND s.id = j.object_id AND j.kind = 'slot'
  LEFT JOIN people p ON p.id = j.actor_id AND j.actor_kind = 'customer'
  LEFT JOIN api_keys k ON k.workspace_id = j.workspace_id AND k.id = j.actor_id
                      AND j.actor_kind = 'customer'
 WHERE j.workspace_id = $1 AND j.root_id = $2
 ORDER BY j.ordinal DESC LIMIT 200
"""
_DRAFTS = 5


async def needs_of(conn: Connection, workspace_id: UUID) -> list[Row]:
    """Give what waits for the customer, at most fifty things, the next deadline first."""
    rows: list[Any] = await conn.fetch(NEEDS, workspace_id)
    return rows


async def drafts_of(
    conn: Connection, workspace_id: UUID, now: datetime
) -> list[tuple[Bundle, Readiness]]:
    """Give the newest few bundles that are being set up, each with what is in its way."""
    query = ListBundlesQuery(status="pending_setup", per_page=_DRAFTS)
    bundles, _ = await list_bundles(conn, workspace_id, query)
    return [(one, assess(await gather(conn, workspace_id, one.id, now))) for one in bundles]


async def counts_of(conn: Connection, workspace_id: UUID) -> dict[str, int]:
    """Give how many bundles there are by status, from the counters."""
    return {row["status"]: row["n"] for row in await conn.fetch(COUNTS, workspace_id)}


async def timeline_of(conn: Connection, workspace_id: UUID, bundle_id: UUID) -> list[Row]:
    """Give the last changes of status of a bundle and its parts, the newest first."""
    rows: list[Any] = await conn.fetch(TIMELINE, workspace_id, bundle_id)
    return rows
