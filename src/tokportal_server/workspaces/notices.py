"""Notices: what people should know, each fact told once to each, on their page and by mail.

A notice is written in the transaction of whoever finds the fact, together with the job that mails
it to those who want that. What a rehearsal does is mailed to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue_all

# What people choose by. A kind of notice belongs to one of them.
Topic = Literal[
    "review",
    "corrections",
    "claim_deadline",
    "overdue",
    "media",
    "endpoint",
    "credits",
    "ban",
    "edits",
    "invitation",
]
TOPIC_OF: Final[Mapping[str, Topic]] = {
    "account.in_review": "review",
    "video.in_review": "review",
    "account.pending_corrections": "corrections",
    "video.pending_corrections": "corrections",
    "comment.pending_corrections": "corrections",
    "claim_deadline": "claim_deadline",
    "video.overdue": "overdue",
    "video.download_issue": "media",
    "media_failed": "media",
    "webhook_endpoint_failing": "endpoint",
    "webhook_endpoint_disabled": "endpoint",
    "credits.low": "credits",
    "credits.expiring": "credits",
    "account.banned": "ban",
    "edit_request": "edits",
    "edit_request.completed": "edits",
    "edit_request.rejected": "edits",
    "invitation": "invitation",
}
# The job that mails one notice; pages/mails.py does it.
NOTICE_MAIL_JOB: Final = "notice_mail"

# Simulated managers read nothing.
REAL_MANAGER = """
SELECT person_id FROM managers WHERE person_id = $1 AND rehearsal_workspace_id IS NULL
"""
MEMBERS = "SELECT person_id FROM workspace_members WHERE workspace_id = $1 AND role = ANY ($2)"
# A person who wants a topic neither on the page nor by mail has no row.
TELL = """
WITH told AS (
    INSERT INTO notices (workspace_id, person_id, kind, subject, topic, text, about, on_page,
                         created_at)
    SELECT $1, p.id, $3, $4, $5, $6, $7, COALESCE(c.on_page, true), $8
      FROM unnest($2::uuid[]) AS p(id)
      LEFT JOIN notice_choices c ON c.person_id = p.id AND c.topic = $5
     WHERE COALESCE(c.on_page OR c.by_mail, true)
        ON CONFLICT DO NOTHING
    RETURNING person_id
)
SELECT t.person_id
  FROM told t JOIN workspaces w ON w.id = $1 AND NOT w.rehearsal
  LEFT JOIN notice_choices c ON c.person_id = t.person_id AND c.topic = $5
 WHERE COALESCE(c.by_mail, true)
"""


async def tell(
    conn: Connection,
    workspace_id: UUID,
    people: Iterable[UUID],
    *,
    kind: str,
    subject: str,
    text: str,
    at: datetime,
    about: Mapping[str, Any] | None = None,
    mail: bool = True,
) -> None:
    """Leave a notice for people, in the caller's transaction, and want it mailed.

    ``subject`` names the fact: a second notice of the same kind and subject is not written, so a
    listener may be run again. ``about`` is what it leads to (``bundle_id``, ``position``,
    ``endpoint_id``, ``saved_account_id``, ``comment_task_id``, ``edit_request_id``; ``work`` for
    whoever works on it). ``at`` is the workspace's clock. Without ``mail`` it is for the page
    alone.
    """
    async with conn.transaction():
        mailed = await conn.fetch(
            TELL,
            workspace_id,
            list(people),
            kind,
            subject,
            TOPIC_OF[kind],
            text,
            dict(about or {}),
            at,
        )
        await enqueue_all(
            conn,
            NOTICE_MAIL_JOB,
            [
                {
                    "workspace_id": str(workspace_id),
                    "person_id": str(row["person_id"]),
                    "kind": kind,
                    "subject": subject,
                }
                for row in mailed
                if mail
            ],
        )


async def tell_owners(conn: Connection, workspace_id: UUID, **notice: Any) -> None:
    """Leave a notice for every owner; the rest is as in :func:`tell`."""
    await tell(conn, workspace_id, await _members(conn, workspace_id, "owner"), **notice)


async def tell_customers(conn: Connection, workspace_id: UUID, **notice: Any) -> None:
    """Leave a notice for whoever orders: owners and members; the rest is as in :func:`tell`."""
    people = await _members(conn, workspace_id, "owner", "member")
    await tell(conn, workspace_id, people, **notice)


async def tell_manager(
    conn: Connection, workspace_id: UUID, manager_id: UUID, **notice: Any
) -> None:
    """Leave a notice for a manager who is not simulated; the rest is as in :func:`tell`."""
    people = [row["person_id"] for row in await conn.fetch(REAL_MANAGER, manager_id)]
    await tell(conn, workspace_id, people, **notice)


async def _members(conn: Connection, workspace_id: UUID, *roles: str) -> list[UUID]:
    return [row["person_id"] for row in await conn.fetch(MEMBERS, workspace_id, list(roles))]
