"""The operations of the reference's group Analytics that make reports."""

from __future__ import annotations

from tokportal_server.analytics.definitions import CONTRACT_HEADER, VERSION, VERSION_SIBLING
from tokportal_server.analytics.errors import AnalyticsNotFoundError
from tokportal_server.analytics.levels import AnalyticsLevelRequiredError
from tokportal_server.analytics.operations.create_analytics_report import create_analytics_report
from tokportal_server.analytics.reports.gathering import gather
from tokportal_server.analytics.reports.rendering import render_report
from tokportal_server.analytics.reports.wire import (
    CreateAnalyticsReportRequest,
    CreatedAnalyticsReport,
)
from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.orders.errors import SavedAccountNotFoundError

router = Router("Analytics")
_ERRORS = (AnalyticsLevelRequiredError, SavedAccountNotFoundError, AnalyticsNotFoundError)


@router.operation(
    "POST",
    "/analytics/export/reports",
    "createAnalyticsReport",
    summary="Create analytics web report",
    returns=CreatedAnalyticsReport,
    siblings=VERSION_SIBLING,
    errors=_ERRORS,
    idempotency="sealed",
)
async def create_report(call: Call, body: CreateAnalyticsReportRequest) -> Answer:
    """Freeze the numbers in a page that can be shown to somebody without a key.

    Whoever has its address can see it, for 90 days or until it is revoked in the console. Later
    numbers change nothing in it.
    """
    created = await create_analytics_report(
        tx=call.tx,
        actor=call.who.actor,
        request=body,
        base_url=call.base_url,
    )
    return Answer(created, siblings=VERSION)


@router.operation(
    "POST",
    "/analytics/export/reports/html",
    "exportAnalyticsReportHtml",
    summary="Export analytics report HTML",
    returns=str,
    errors=_ERRORS,
    media="text/html",
    answer_headers=CONTRACT_HEADER,
)
async def export_report(call: Call, body: CreateAnalyticsReportRequest) -> Answer:
    """Give the same page as one standalone file; nothing is kept here.

    It loads nothing and runs nothing, and can be printed.
    """
    tx = call.tx
    content = await gather(tx.conn, tx.workspace_id, body, now=tx.now)
    return Answer(render_report(content).html)
