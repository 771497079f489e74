"""Notices: what the owners of a workspace should know, each fact told once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tokportal_server.lib.db import Connection

TELL_OWNERS = """
INSERT INTO notices (workspace_id, person_id, kind, subject, text, created_at)
SELECT workspace_id, person_id, $2, $3, $4, $5
  FROM workspace_members WHERE workspace_id = $1 AND role = 'owner'
    ON CONFLICT DO NOTHING
"""


async def tell_owners(
    conn: Connection, workspace_id: UUID, *, kind: str, subject: str, text: str, at: datetime
) -> None:
    """Leave a notice for every owner, in the caller's transaction.

    ``subject`` names the fact: a second notice of the same kind and subject is not written, so a
    listener may be run again. ``at`` is the workspace's clock.
    """
    await conn.execute(TELL_OWNERS, workspace_id, kind, subject, text, at)
