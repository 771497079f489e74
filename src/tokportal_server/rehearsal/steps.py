"""What simulated managers do next with each bundle, and when, by its script."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

# How long each script waits with each step; what is not here is done at once. A slow manager posts
# at 20:00 UTC of the window's last day.
_STEP = """
pace(script, what, wait) AS (VALUES
    ('slow', 'claim', interval '6 hours'),
    ('slow', 'set_up', interval '24 hours'),
    ('slow', 'correct', interval '24 hours'),
    ('slow', 'post', interval '44 hours'),
    ('releases', 'release', interval '12 hours'),
    ('bans', 'ban', interval '36 hours')
), held AS (
    SELECT b.id, b.ordinal, r.script, r.reported, c.manager_id, c.claimed_at,
           r.script = 'releases' AND NOT EXISTS (
               SELECT FROM claims o
                WHERE o.workspace_id = b.workspace_id AND o.bundle_id = b.id
                  AND o.status = 'released') AS to_release
      FROM bundles b
      JOIN rehearsal_scripts r ON r.workspace_id = b.workspace_id AND r.bundle_id = b.id
      JOIN claims c ON c.workspace_id = b.workspace_id AND c.bundle_id = b.id AND c.status = 'live'
     WHERE b.workspace_id = $1 AND b.status = 'accepted'
), since AS (
    SELECT 'claim' AS what, b.id AS bundle_id, b.ordinal, 0 AS position, m.person_id, r.script,
           b.moved_at AS since
      FROM bundles b
      JOIN rehearsal_scripts r ON r.workspace_id = b.workspace_id AND r.bundle_id = b.id
      JOIN LATERAL (
          SELECT person_id FROM managers
           WHERE rehearsal_workspace_id = b.workspace_id AND active
             AND b.country = ANY (countries) AND b.platform = ANY (platforms)
           ORDER BY person_id LIMIT 1
      ) m ON true
     WHERE b.workspace_id = $1 AND b.status IN ('published', 'published_priority')
    UNION ALL
    SELECT 'release', id, ordinal, 0, manager_id, script, claimed_at FROM held WHERE to_release
    UNION ALL
    SELECT CASE p.status WHEN 'published' THEN 'set_up' ELSE 'correct' END, h.id, h.ordinal, 0,
           h.manager_id, h.script,
           CASE p.status WHEN 'published' THEN h.claimed_at
                ELSE (SELECT max(k.requested_at) FROM corrections k
                       WHERE k.workspace_id = $1 AND k.bundle_id = h.id AND k.slot_id IS NULL) END
      FROM held h
      JOIN profiles p ON p.workspace_id = $1 AND p.bundle_id = h.id
     WHERE p.status IN ('published', 'pending_corrections') AND NOT h.to_release
    UNION ALL
    SELECT CASE WHEN s.status = 'pending_corrections' THEN 'correct_post'
                WHEN h.script = 'broken_download' AND s.id <> ALL (h.reported) THEN 'report'
                ELSE 'post' END,
           h.id, h.ordinal, s.position, h.manager_id, h.script,
           CASE s.status WHEN 'accepted' THEN s.target_start::timestamp AT TIME ZONE 'UTC'
                ELSE (SELECT max(k.requested_at) FROM corrections k
                       WHERE k.workspace_id = $1 AND k.slot_id = s.id) END
      FROM held h
      JOIN slots s ON s.workspace_id = $1 AND s.bundle_id = h.id
     WHERE NOT h.to_release
       AND (s.status = 'pending_corrections'
            OR s.status = 'accepted' AND s.workable_at IS NOT NULL AND s.download_issue IS NULL)
    UNION ALL
    SELECT 'ban', b.id, b.ordinal, 0, a.manager_id, r.script,
           GREATEST(a.delivered_at, b.accepted_at)
      FROM rehearsal_scripts r
      JOIN bundles b ON b.workspace_id = r.workspace_id AND b.id = r.bundle_id
      JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
     WHERE r.workspace_id = $1 AND r.script = 'bans' AND a.status = 'active'
       AND a.delivered_at IS NOT NULL AND b.accepted_at IS NOT NULL
), step AS (
    SELECT t.*, t.since + COALESCE(p.wait, interval '0') AS due_at
      FROM since t
      JOIN managers m ON m.person_id = t.person_id AND m.rehearsal_workspace_id = $1
      LEFT JOIN pace p ON p.script = t.script
       AND p.what = CASE t.what WHEN 'correct_post' THEN 'correct' ELSE t.what END
)
"""
DUE_STEPS: Final = f"""WITH {_STEP}
SELECT * FROM step WHERE due_at <= $2 ORDER BY due_at, ordinal, position LIMIT $3
"""
NEXT_STEP: Final = f"""WITH {_STEP}
SELECT min(due_at) FROM step WHERE due_at > $2 AND due_at <= $3
"""


async def due_steps(conn: Connection, workspace_id: UUID, now: datetime, *, most: int) -> list[Row]:
    """Give up to ``most`` things that managers of a rehearsal can do at ``now``, in their order."""
    rows: list[Row] = await conn.fetch(DUE_STEPS, workspace_id, now, most)
    return rows


async def next_step(
    conn: Connection, workspace_id: UUID, after: datetime, until: datetime
) -> datetime | None:
    """Give the next moment at which they do something, or None if that is past ``until``."""
    moment: datetime | None = await conn.fetchval(NEXT_STEP, workspace_id, after, until)
    return moment
