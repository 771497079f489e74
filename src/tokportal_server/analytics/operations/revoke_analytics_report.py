"""Withdraw a report: its address leads nowhere from now on."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.analytics.reports.kept import end_report
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workspaces.audit import write_audit


class ReportNotFoundError(ApiError):
    """The workspace has made no such report, or it is long over."""

    code = "REPORT_NOT_FOUND"
    status = 404
    remedy = "You: take the `id` that `POST /analytics/export/reports` gave."


async def revoke_analytics_report(*, tx: UnitOfWork, actor: Actor, report_id: UUID) -> None:
    """Revoke a report and forget what it showed; revoking it again changes nothing.

    Raises:
        ReportNotFoundError: the workspace has none with this id.
    """
    if not await end_report(tx, report_id):
        raise ReportNotFoundError(
            f"No report {report_id} in this workspace. A report's id is in the answer that made it,"
            " and in its event report.created."
        )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="analytics_report.revoke",
        subject=("analytics_report", report_id),
        actor=actor,
    )
