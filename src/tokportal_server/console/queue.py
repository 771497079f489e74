"""What a manager can take, and what they hold: reads over all workspaces, for one manager."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from tokportal_server.lib.db import Connection, existing
from tokportal_server.orders.locks import Row
from tokportal_server.workbench.operations.claim_bundle import FIRST_REFUSAL

# `is_full`: they hold as many orders as they may at once.
PLACES = """
SELECT m.countries, m.platforms, m.capacity,
       m.capacity <= (SELECT count(*) FROM claims c
                       WHERE c.manager_id = m.person_id AND c.status = 'live') AS is_full
  FROM managers m WHERE m.person_id = $1
"""
PAUSED_EVERYWHERE = "SELECT reason FROM kill_switches WHERE scope = 'all'"
# Priority first, then the oldest. What claim_bundle would refuse is left out; it decides.
QUEUE = """
SELECT b.workspace_id, b.id, b.status, b.bundle_type, b.platform, b.country, b.videos_quantity,
       b.edits_quantity, b.wants_niche_warming, b.wants_deep_warming, b.wants_moderation,
       b.published_at, c.name AS country_name, c.timezone, w.clock_offset, a.username,
       (SELECT min(s.target_start) FROM slots s
         WHERE s.workspace_id = b.workspace_id AND s.bundle_id = b.id
           AND s.status = 'published') AS first_day,
       (SELECT count(*) FROM slots s
         WHERE s.workspace_id = b.workspace_id AND s.bundle_id = b.id
           AND s.status = 'published') AS videos_ready
  FROM managers m
  JOIN bundles b ON b.country = ANY (m.countries) AND b.platform = ANY (m.platforms)
                AND b.status IN ('published', 'published_priority')
  JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal
  JOIN countries c ON c.code = b.country
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE m.person_id = $1 AND m.active AND m.rehearsal_workspace_id IS NULL
   AND NOT EXISTS (SELECT FROM kill_switches k
                    WHERE k.scope = 'all'
                       OR k.scope = 'workspace' AND k.subject_id = b.workspace_id
                       OR k.scope = 'account' AND k.subject_id = b.saved_account_id)
   AND (a.consent_ends_at IS NULL OR a.consent_ends_at > now() + w.clock_offset)
   AND (b.bundle_type <> 'videos_only' OR a.manager_id IS NULL OR a.manager_id = $1
        OR b.published_at + $2::interval <= now() + w.clock_offset)
 ORDER BY b.status = 'published_priority' DESC, b.published_at, b.id
 LIMIT 50
"""
# By deadline; what waits for the customer comes last.
MINE = """
SELECT b.workspace_id, b.id, b.platform, b.country, b.bundle_type, k.due_at, w.clock_offset,
       COALESCE(a.username, p.username) AS username, p.status AS profile_status,
       count(s.id) FILTER (WHERE s.status = 'accepted' AND s.workable_at IS NOT NULL) AS to_post,
       count(s.id) FILTER (WHERE s.status = 'pending_corrections') AS to_correct,
       count(s.id) FILTER (WHERE s.status = 'in_review') AS in_review,
       min(s.target_start) FILTER (WHERE s.status = 'accepted') AS next_day
  FROM claims k
  JOIN bundles b ON b.workspace_id = k.workspace_id AND b.id = k.bundle_id
  JOIN workspaces w ON w.id = b.workspace_id
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
  LEFT JOIN slots s ON s.workspace_id = b.workspace_id AND s.bundle_id = b.id
 WHERE k.manager_id = $1 AND k.status = 'live'
 GROUP BY b.workspace_id, b.id, k.due_at, w.clock_offset, a.username, p.username, p.status
 ORDER BY k.due_at NULLS LAST, b.id
"""
HELD = """
SELECT k.due_at, w.clock_offset, c.name AS country_name, c.timezone, a.stopped_reason,
       COALESCE(a.consent_ends_at <= now() + w.clock_offset, false) AS frozen
  FROM claims k
  JOIN workspaces w ON w.id = k.workspace_id
  JOIN bundles b ON b.workspace_id = k.workspace_id AND b.id = k.bundle_id
  JOIN countries c ON c.code = b.country
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE k.workspace_id = $1 AND k.bundle_id = $2 AND k.manager_id = $3 AND k.status = 'live'
"""
CLOCK = "SELECT clock_offset FROM workspaces WHERE id = $1"


async def claimable(conn: Connection, manager_id: UUID) -> list[Row]:
    """Give the bundles that a manager may claim now, at most fifty, in the order to take them."""
    rows: list[Any] = await conn.fetch(QUEUE, manager_id, FIRST_REFUSAL)
    return rows


async def places_of(conn: Connection, manager_id: UUID) -> Row:
    """Give the countries and platforms of a manager, and whether they may claim any more."""
    return existing(await conn.fetchrow(PLACES, manager_id))


async def paused_because(conn: Connection) -> str | None:
    """Say why the operator has stopped all work, or None."""
    reason: str | None = await conn.fetchval(PAUSED_EVERYWHERE)
    return reason


async def held(conn: Connection, manager_id: UUID) -> list[Row]:
    """Give the bundles that a manager holds, the next deadline first."""
    rows: list[Any] = await conn.fetch(MINE, manager_id)
    return rows


async def held_one(
    conn: Connection, workspace_id: UUID, bundle_id: UUID, manager_id: UUID
) -> Row | None:
    """Give the deadline and the clock of a bundle, if the manager holds it."""
    return await conn.fetchrow(HELD, workspace_id, bundle_id, manager_id)


async def clock_of(conn: Connection, workspace_id: UUID) -> timedelta | None:
    """Give how far a workspace's clock is ahead, or None if there is no such workspace."""
    offset: timedelta | None = await conn.fetchval(CLOCK, workspace_id)
    return offset
