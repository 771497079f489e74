"""Orders that do not move, with why and since when; rehearsals are their customers' own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

# Offered and not taken. Why: nobody could take it, or nobody has.
UNCLAIMED = """
SELECT b.workspace_id, b.id, b.title, b.external_ref, b.platform, b.country, b.status,
       w.name AS workspace, b.published_at AS since, now() + w.clock_offset AS now,
       CASE WHEN EXISTS (SELECT FROM kill_switches k
                          WHERE k.scope = 'all'
                             OR (k.scope = 'workspace' AND k.subject_id = b.workspace_id)
                             OR (k.scope = 'account' AND k.subject_id = b.saved_account_id))
            THEN 'paused'
            WHEN a.consent_ends_at <= now() + w.clock_offset THEN 'frozen'
            WHEN NOT EXISTS (SELECT FROM managers m
                              WHERE m.active AND m.rehearsal_workspace_id IS NULL
                                AND b.country = ANY (m.countries)
                                AND b.platform = ANY (m.platforms)) THEN 'nobody'
            ELSE 'waits' END AS why
  FROM bundles b
  JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE b.status IN ('published', 'published_priority')
   AND ($1::text IS NULL OR b.country = $1) AND ($2::text IS NULL OR b.platform = $2)
 ORDER BY b.published_at LIMIT $3
"""
# Taken, and later than was promised: a slot's window has passed, or a claim's or a review's end.
OVERDUE = """
SELECT o.workspace_id, o.id, o.position, o.why, o.since, b.title, b.external_ref, b.platform,
       b.country, b.status, w.name AS workspace, now() + w.clock_offset AS now, p.name AS manager,
       k.manager_id
  FROM (
    SELECT workspace_id, bundle_id AS id, position, 'window' AS why, overdue_at AS since
      FROM slots WHERE overdue_at IS NOT NULL AND status = 'accepted'
    UNION ALL
    SELECT workspace_id, bundle_id, NULL, 'claim', due_at FROM claims
     WHERE status = 'live' AND due_at < now()
    UNION ALL
    SELECT workspace_id, bundle_id, position, 'review', review_deadline_at FROM slots
     WHERE review_deadline_at < now()
    UNION ALL
    SELECT workspace_id, bundle_id, NULL, 'review', review_deadline_at FROM profiles
     WHERE review_deadline_at < now()
  ) o
  JOIN workspaces w ON w.id = o.workspace_id AND NOT w.rehearsal
  JOIN bundles b ON b.workspace_id = o.workspace_id AND b.id = o.id
  LEFT JOIN claims k ON k.workspace_id = o.workspace_id AND k.bundle_id = o.id
                    AND k.status = 'live'
  LEFT JOIN people p ON p.id = k.manager_id
 WHERE ($1::text IS NULL OR b.country = $1) AND ($2::text IS NULL OR b.platform = $2)
 ORDER BY o.since, o.position LIMIT $3
"""
# Waits for somebody and has no deadline that would end it by itself.
STUCK = """
WITH live AS MATERIALIZED (
    SELECT workspace_id, bundle_id, manager_id, claimed_at FROM claims WHERE status = 'live'
)
SELECT o.workspace_id, o.id, o.position, o.why, o.since, b.title, b.external_ref, b.platform,
       b.country, b.status, w.name AS workspace, now() + w.clock_offset AS now, p.name AS manager,
       k.manager_id
  FROM (
    SELECT workspace_id, bundle_id AS id, position, 'download' AS why,
           (download_issue ->> 'reported_at')::timestamptz AS since
      FROM slots
     WHERE download_issue IS NOT NULL AND status IN ('accepted', 'pending_corrections')
    UNION ALL
    SELECT workspace_id, bundle_id, position, 'media', updated_at FROM slots
     WHERE media_status = 'failed' AND status NOT IN ('finalized', 'cancelled')
    UNION ALL
    SELECT workspace_id, bundle_id, position, 'corrections', updated_at FROM slots
     WHERE status = 'pending_corrections' AND updated_at < now() - $4::interval
    UNION ALL
    SELECT k.workspace_id, k.bundle_id, NULL, 'frozen', a.consent_ends_at
      FROM live k
      JOIN bundles b ON b.workspace_id = k.workspace_id AND b.id = k.bundle_id
      JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
                           AND a.consent_ends_at <= now()
    UNION ALL
    SELECT k.workspace_id, k.bundle_id, NULL, 'manager', k.claimed_at
      FROM live k JOIN managers m ON m.person_id = k.manager_id AND NOT m.active
    UNION ALL
    SELECT k.workspace_id, k.bundle_id, NULL, 'emptied', b.moved_at
      FROM live k
      JOIN bundles b ON b.workspace_id = k.workspace_id AND b.id = k.bundle_id
                    AND b.videos_quantity > 0
     WHERE NOT EXISTS (SELECT FROM slots s WHERE s.workspace_id = b.workspace_id
                          AND s.bundle_id = b.id AND s.status <> 'cancelled')
       AND NOT EXISTS (SELECT FROM profiles f WHERE f.workspace_id = b.workspace_id
                          AND f.bundle_id = b.id AND f.status NOT IN ('finalized', 'cancelled'))
  ) o
  JOIN workspaces w ON w.id = o.workspace_id AND NOT w.rehearsal
  JOIN bundles b ON b.workspace_id = o.workspace_id AND b.id = o.id
  LEFT JOIN live k ON k.workspace_id = o.workspace_id AND k.bundle_id = o.id
  LEFT JOIN people p ON p.id = k.manager_id
 WHERE ($1::text IS NULL OR b.country = $1) AND ($2::text IS NULL OR b.platform = $2)
 ORDER BY o.since, o.position LIMIT $3
"""
# How many are offered in a place, and who could take them: where managers are missing.
BY_PLACE = """
SELECT b.country, b.platform, count(*) AS open, min(b.published_at) AS since, now() AS now,
       (SELECT count(*) FROM managers m
         WHERE m.active AND m.rehearsal_workspace_id IS NULL AND b.country = ANY (m.countries)
           AND b.platform = ANY (m.platforms)) AS managers
  FROM bundles b JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal
 WHERE b.status IN ('published', 'published_priority')
 GROUP BY b.country, b.platform ORDER BY open DESC, b.country, b.platform
"""
MOST: Final = 50
# Managers mend within a day or two; what lies longer is asked after.
MENDED_WITHIN: Final = timedelta(days=3)


async def list_unclaimed(
    conn: Connection, country: str | None = None, platform: str | None = None
) -> list[Row]:
    """Give orders that are offered and not taken, the longest waiting first, at most fifty."""
    rows: list[Any] = await conn.fetch(UNCLAIMED, country, platform, MOST)
    return rows


async def list_overdue(
    conn: Connection, country: str | None = None, platform: str | None = None
) -> list[Row]:
    """Give what is later than was promised, the latest first, at most fifty."""
    rows: list[Any] = await conn.fetch(OVERDUE, country, platform, MOST)
    return rows


async def list_stuck(
    conn: Connection, country: str | None = None, platform: str | None = None
) -> list[Row]:
    """Give what waits for somebody without an end, the longest first, at most fifty."""
    rows: list[Any] = await conn.fetch(STUCK, country, platform, MOST, MENDED_WITHIN)
    return rows


async def open_by_place(conn: Connection) -> list[Row]:
    """Give the number of offered orders by country and platform, with active managers there."""
    rows: list[Any] = await conn.fetch(BY_PLACE)
    return rows
