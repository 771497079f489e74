"""Finding a bundle by what people remember of it: how its title, account or reference begins.

Each of the four kinds of text has an index by workspace and lower case, and is read in the order of
the text, so that a search takes the same time in ten bundles and in a million. Operators search all
workspaces: one after the other, by the same indexes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tokportal_server.bundles.wire import BundleType, PlatformCode
from tokportal_server.http.validation import unstorable_text
from tokportal_server.lib.db import Connection
from tokportal_server.orders.states import BundleStatus

Matched = Literal["title", "external_ref", "username"]


def _begins(column: str) -> str:
    """Say that a text begins with $2; nothing that does comes after $2 and the last character."""
    return (
        f"lower({column}) ~>=~ lower($2) AND lower({column}) ~<~ (lower($2) || chr(1114111))"
        f" ORDER BY lower({column}) USING ~<~"
    )


def _search(workspaces: str) -> str:
    """Write the statement for a set of workspaces; $3 is how many bundles to find."""
    return f"""
WITH found AS (
    SELECT w.id AS workspace_id, m.bundle_id, m.text, m.ordinal, m.matched
      FROM {workspaces} w CROSS JOIN LATERAL (
        (SELECT id AS bundle_id, lower(title) AS text, ordinal, 'title' AS matched FROM bundles
          WHERE workspace_id = w.id AND {_begins("title")}, ordinal DESC LIMIT $3)
        UNION ALL
        (SELECT id, lower(external_ref), ordinal, 'external_ref' FROM bundles
          WHERE workspace_id = w.id AND {_begins("external_ref")}, ordinal DESC LIMIT $3)
        UNION ALL
        (SELECT bundle_id, lower(username), NULL, 'username' FROM profiles
          WHERE workspace_id = w.id AND {_begins("username")} LIMIT $3)
        UNION ALL
        (SELECT b.id, lower(a.username), b.ordinal, 'username' FROM saved_accounts a
           JOIN bundles b ON b.workspace_id = a.workspace_id AND b.saved_account_id = a.id
          WHERE a.workspace_id = w.id AND {_begins("a.username")}, b.ordinal DESC LIMIT $3)
    ) m
), best AS (
    SELECT DISTINCT ON (workspace_id, bundle_id) * FROM found
     ORDER BY workspace_id, bundle_id, text USING ~<~, matched
), shown AS (
    SELECT * FROM best ORDER BY text USING ~<~, ordinal DESC NULLS LAST LIMIT $3
)
SELECT f.workspace_id, f.matched, b.*
  FROM shown f CROSS JOIN LATERAL (
      SELECT b.id, b.bundle_type, b.platform, b.country, b.status, b.title, b.external_ref,
             COALESCE(a.username, p.username) AS username, b.created_at, b.ordinal
        FROM bundles b
        LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
        LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
       WHERE b.workspace_id = f.workspace_id AND b.id = f.bundle_id
      -- Looked up one by one, however many the planner expects.
      OFFSET 0
  ) b
 ORDER BY f.text USING ~<~, b.ordinal DESC
"""


IN_WORKSPACE = _search("(SELECT $1::uuid AS id)")
EVERYWHERE = _search("(SELECT id FROM workspaces WHERE $1::uuid IS NULL)")


class FoundBundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was found; ``matched`` says by what, ``created_at`` is its workspace's time."""

    workspace_id: UUID
    id: UUID
    matched: Matched
    bundle_type: BundleType
    platform: PlatformCode
    country: str
    status: BundleStatus
    title: str | None
    external_ref: str | None
    username: str | None
    created_at: datetime


async def find_bundles(
    conn: Connection, text: str, *, workspace_id: UUID | None, limit: int = 20
) -> list[FoundBundle]:
    """Give bundles of which title, external_ref or username begins with ``text``, in any case.

    In the order of the text, so an exact match comes first; of equal titles and references the
    newest. A username is the one that the account has or the one that was wanted. An empty text
    finds nothing. ``workspace_id`` None searches everywhere: for operators alone.
    """
    text = text.strip()
    if not text or any(unstorable_text(text)):
        return []
    if workspace_id is None:
        rows = await conn.fetch(EVERYWHERE, None, text, limit)
    else:
        rows = await conn.fetch(IN_WORKSPACE, workspace_id, text, limit)
    return [msgspec.convert(dict(row), FoundBundle) for row in rows]
