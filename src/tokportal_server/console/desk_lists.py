"""What else than orders is for a manager to do: reads over all workspaces, for one manager."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.orders.locks import Row

# What submit_comment would refuse is left out; it decides. The next deadline comes first.
COMMENTS = """
SELECT t.workspace_id, t.id, t.status, t.platform, t.target_video_url, t.target_author_handle,
       t.comment_text, t.comment_url, t.comment_id, t.correction, t.due_at, w.clock_offset,
       a.username, a.country, k.person_id IS NOT NULL AS is_mine
  FROM managers m
  JOIN comment_tasks t ON t.status IN ('pending', 'pending_corrections') AND NOT t.with_operator
  JOIN workspaces w ON w.id = t.workspace_id AND NOT w.rehearsal
  JOIN saved_accounts a ON a.workspace_id = t.workspace_id AND a.id = t.saved_account_id
                       AND a.status = 'active'
  LEFT JOIN managers k ON k.person_id = a.manager_id AND k.active
 WHERE m.person_id = $1 AND m.active AND m.rehearsal_workspace_id IS NULL
   AND (k.person_id = $1
        OR k.person_id IS NULL AND a.country = ANY (m.countries) AND a.platform = ANY (m.platforms))
   AND (a.consent_ends_at IS NULL OR a.consent_ends_at > now() + w.clock_offset)
   AND NOT EXISTS (SELECT FROM kill_switches s
                    WHERE s.scope = 'all'
                       OR s.scope = 'workspace' AND s.subject_id = t.workspace_id
                       OR s.scope = 'account' AND s.subject_id = a.id)
 ORDER BY t.due_at NULLS LAST, t.id
 LIMIT 100
"""
# Own ones, and those of accounts whose manager has left.
EDITS = """
SELECT r.workspace_id, r.id, r.status, r.requested_username, r.requested_visible_name,
       r.requested_biography, r.requested_link_in_bio, r.requested_profile_picture_url,
       r.created_at, w.clock_offset, a.username, a.visible_name, a.biography, a.profile_url,
       a.platform, a.country, a.manager_id IS NOT NULL AS is_mine, u.storage_key AS picture_key
  FROM managers m
  JOIN edit_requests r ON r.status IN ('pending', 'in_progress')
  JOIN workspaces w ON w.id = r.workspace_id AND NOT w.rehearsal
  JOIN saved_accounts a ON a.workspace_id = r.workspace_id AND a.id = r.saved_account_id
  LEFT JOIN media p ON p.workspace_id = r.workspace_id AND p.owner_id = r.id
                   AND p.kind = 'profile_picture'
  LEFT JOIN uploads u ON u.workspace_id = p.workspace_id AND u.id = p.upload_id
 WHERE m.person_id = $1 AND m.active AND m.rehearsal_workspace_id IS NULL
   AND (a.manager_id = $1
        OR a.manager_id IS NULL AND a.status = 'active'
           AND a.country = ANY (m.countries) AND a.platform = ANY (m.platforms))
 ORDER BY a.manager_id IS NULL, r.created_at, r.id
 LIMIT 100
"""
# `asked_at` is when the customer last asked in vain for a code, within the half hour in which one
# would be read (contract section 9); the API request log knows.
ACCOUNTS = """
SELECT * FROM (
    SELECT a.workspace_id, a.id, a.username, a.platform, a.country, a.profile_url, w.clock_offset,
           (SELECT max(c.recorded_at) FROM verification_codes c
             WHERE c.workspace_id = a.workspace_id AND c.saved_account_id = a.id) AS code_at,
           (SELECT max(q.recorded_at) FROM api_requests q
             WHERE q.workspace_id = a.workspace_id AND q.status >= 400
               AND q.recorded_at > now() - interval '30 minutes'
               AND q.error_code = 'VERIFICATION_CODE_NOT_FOUND'
               AND strpos(q.path, a.id::text) > 0) AS asked_at
      FROM saved_accounts a
      JOIN workspaces w ON w.id = a.workspace_id AND NOT w.rehearsal
     WHERE a.manager_id = $1 AND a.status = 'active'
) found
 ORDER BY COALESCE(asked_at > COALESCE(code_at, '-infinity'), false) DESC, lower(username), id
 LIMIT 200
"""


async def comments_to_write(conn: Connection, manager_id: UUID) -> list[Row]:
    """Give the comments that a manager may write or has to mend, at most 100."""
    rows: list[Any] = await conn.fetch(COMMENTS, manager_id)
    return rows


async def edits_to_make(conn: Connection, manager_id: UUID) -> list[Row]:
    """Give the profile changes that a manager may make or take up, at most 100."""
    rows: list[Any] = await conn.fetch(EDITS, manager_id)
    return rows


async def accounts_of(conn: Connection, manager_id: UUID) -> list[Row]:
    """Give the accounts that a manager looks after; those that wait for a code come first."""
    rows: list[Any] = await conn.fetch(ACCOUNTS, manager_id)
    return rows


def waits_for_code(account: Row) -> bool:
    """Say whether the account's customer has asked for a code and none has come since."""
    asked, had = account["asked_at"], account["code_at"]
    return asked is not None and (had is None or had < asked)
