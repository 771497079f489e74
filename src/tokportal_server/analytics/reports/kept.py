"""Reports as they are kept: stored, listed, found by their token, ended."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tokportal_server.analytics.reports.content import Content, Template
from tokportal_server.analytics.reports.tokens import ReportToken
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork

# Contract section 11.
KEPT: Final = timedelta(days=90)

INSERT_REPORT = """
INSERT INTO analytics_reports (workspace_id, id, token_hash, title, template, content, actor_kind,
                               actor_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
FIND_REPORT = """
SELECT r.content FROM analytics_reports r JOIN workspaces w ON w.id = r.workspace_id
 WHERE r.workspace_id = $1 AND r.token_hash = $2 AND r.revoked_at IS NULL
   AND r.expires_at > now() + w.clock_offset
"""
LIST_REPORTS = """
SELECT id, title, template, created_at, expires_at, revoked_at FROM analytics_reports
 WHERE workspace_id = $1 ORDER BY created_at DESC, id LIMIT 100
"""
REVOKE_REPORT = """
UPDATE analytics_reports SET revoked_at = COALESCE(revoked_at, $3), content = NULL
 WHERE workspace_id = $1 AND id = $2
RETURNING id
"""
EMPTY_REPORTS = """
UPDATE analytics_reports SET content = NULL WHERE (workspace_id, id) IN (
    SELECT r.workspace_id, r.id FROM analytics_reports r JOIN workspaces w ON w.id = r.workspace_id
     WHERE r.content IS NOT NULL AND r.expires_at <= now() + w.clock_offset LIMIT 1000
)
"""
PURGE_REPORTS = """
DELETE FROM analytics_reports WHERE (workspace_id, id) IN (
    SELECT r.workspace_id, r.id FROM analytics_reports r JOIN workspaces w ON w.id = r.workspace_id
     WHERE r.expires_at <= now() + w.clock_offset - interval '90 days' LIMIT 1000
)
"""


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A line of the list of reports; times are the workspace's clock."""

    id: UUID
    title: str
    template: Template
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


async def insert_report(
    tx: UnitOfWork,
    report_id: UUID,
    token: ReportToken,
    content: Content,
    *,
    actor: Actor,
    expires_at: datetime,
) -> None:
    """Store a report under its token."""
    await tx.conn.execute(
        INSERT_REPORT,
        tx.workspace_id,
        report_id,
        token.hash,
        content.title,
        content.template,
        zlib.compress(msgspec.json.encode(content)),
        actor.kind,
        actor.id,
        tx.now,
        expires_at,
    )


async def find_report(conn: Connection, token: ReportToken) -> Content | None:
    """Give what a report shows; None if there is none with this token, or no longer."""
    stored: bytes | None = await conn.fetchval(FIND_REPORT, token.workspace_id, token.hash)
    return None if stored is None else msgspec.json.decode(zlib.decompress(stored), type=Content)


async def list_reports(conn: Connection, workspace_id: UUID) -> list[KeptReport]:
    """Give the last hundred reports of a workspace, newest first."""
    return [KeptReport(**row) for row in await conn.fetch(LIST_REPORTS, workspace_id)]


async def end_report(tx: UnitOfWork, report_id: UUID) -> bool:
    """Revoke a report and forget what it showed; say whether the workspace has it."""
    return bool(await tx.conn.fetchval(REVOKE_REPORT, tx.workspace_id, report_id, tx.now))


async def purge_reports(conn: Connection) -> int:
    """Empty reports that are over, delete those over for as long as they lived; give how many."""
    emptied = await conn.execute(EMPTY_REPORTS)
    purged = await conn.execute(PURGE_REPORTS)
    return int(emptied.removeprefix("UPDATE ")) + int(purged.removeprefix("DELETE "))
