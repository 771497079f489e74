"""Make a report: its numbers frozen, its address unguessable."""

from __future__ import annotations

from tokportal_server.analytics.reports.gathering import gather
from tokportal_server.analytics.reports.kept import KEPT, insert_report
from tokportal_server.analytics.reports.tokens import ReportToken
from tokportal_server.analytics.reports.wire import (
    CreateAnalyticsReportRequest,
    CreatedAnalyticsReport,
)
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork


async def create_analytics_report(
    *, tx: UnitOfWork, actor: Actor, request: CreateAnalyticsReportRequest, base_url: str
) -> CreatedAnalyticsReport:
    """Freeze what the request means, and give the address under which it is seen for 90 days.

    Emits ``report.created``. A dry run mints no token.

    Raises:
        AnalyticsLevelRequiredError: the plan is below ``creator``.
        SavedAccountNotFoundError, AnalyticsNotFoundError: it names what is not the workspace's.
        ValidationError: the period is none.
    """
    content = await gather(tx.conn, tx.workspace_id, request, now=tx.now)
    report_id, expires_at = tx.new_id(), tx.now + KEPT
    token = ReportToken.new(tx.workspace_id)
    await insert_report(tx, report_id, token, content, actor=actor, expires_at=expires_at)
    tx.emit(
        "report.created",
        {
            "report_id": str(report_id),
            "title": content.title,
            "template": content.template,
            "expires_at": wire_time(expires_at),
        },
    )
    return CreatedAnalyticsReport(
        id=report_id,
        token=None if tx.dry_run else token.text,
        url=None if tx.dry_run else f"{base_url}/reports/{token.text}",
        expires_at=wire_time(expires_at),
    )
