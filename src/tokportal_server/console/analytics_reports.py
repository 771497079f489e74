"""Reports of the workspace's numbers: making one with a preview beside it, the list, revoking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

import msgspec

from tokportal_server.accounts.queries import list_accounts
from tokportal_server.accounts.wire import ListAccountsQuery
from tokportal_server.analytics.levels import includes, level_of
from tokportal_server.analytics.operations.create_analytics_report import create_analytics_report
from tokportal_server.analytics.operations.revoke_analytics_report import (
    ReportNotFoundError,
    revoke_analytics_report,
)
from tokportal_server.analytics.reports.content import Template
from tokportal_server.analytics.reports.gathering import gather
from tokportal_server.analytics.reports.kept import list_reports
from tokportal_server.analytics.reports.rendering import render_report
from tokportal_server.analytics.reports.wire import (
    DEFAULT_ACCENT,
    DEFAULT_TEMPLATE,
    CreateAnalyticsReportRequest,
)
from tokportal_server.console.acts import console_address, is_writer, refusal_of
from tokportal_server.console.bodies import body_of
from tokportal_server.console.lists import blank, link
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import (
    Answer,
    Framed,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.workspaces.reference import list_countries, list_platforms

_TEMPLATES: Final[tuple[str, ...]] = get_args(Template)
_FIELDS: Final = tuple(
    info.encode_name for info in msgspec.structs.fields(CreateAnalyticsReportRequest)
)


async def show_reports(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the form for a report with its preview, and the reports that were made."""
    conn, workspace_id = visit.conn, visit.workspace.id
    given = refusal.values if refusal else visit.query
    chosen = {name: given[name] for name in _FIELDS if given.get(name)}
    address = _address(visit)
    level = await level_of(conn, workspace_id)
    accounts, _ = await list_accounts(
        conn,
        workspace_id,
        ListAccountsQuery(per_page=100),
        base_url=visit.ports.settings.origin(),
    )
    facts = {
        "reports": await list_reports(conn, workspace_id),
        "level": level,
        "included": includes(level, "creator"),
        "templates": _TEMPLATES,
        "chosen": {
            **blank(CreateAnalyticsReportRequest),
            "template": DEFAULT_TEMPLATE,
            "brandAccent": DEFAULT_ACCENT,
            **chosen,
        },
        "accounts": [(str(one.id), f"@{one.username}") for one in accounts],
        "platforms": [(one.code, one.name) for one in await list_platforms(conn)],
        "countries": [(one.code, one.name) for one in await list_countries(conn)],
        "preview": link(f"{address}/preview", chosen),
        "writer": is_writer(visit),
        "address": address,
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("analytics_reports.html", facts)


async def preview_report(visit: Visit) -> Answer:
    """Give the report that the form describes, for the frame beside it; nothing is kept."""
    request = _asked(visit.query)
    content = await gather(visit.conn, visit.workspace.id, request, now=visit.now)
    document = render_report(content, framed_by="'self'")
    return Framed(document.html, document.policy)


async def make_report(visit: Visit) -> Answer:
    """Make a report, and show its address this once."""
    try:
        request = _asked(visit.form)
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            created = await create_analytics_report(
                tx=tx,
                actor=visit.customer,
                request=request,
                base_url=visit.ports.settings.origin(),
            )
    except ApiError as error:
        return await show_reports(visit, refusal_of("report", error, visit))
    facts = {"created": created, "address": _address(visit)}
    return Shown("analytics_report_made.html", facts, 201)


async def revoke_report(visit: Visit) -> Answer:
    """Withdraw a report."""
    report_id = visit.id("report")
    try:
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            await revoke_analytics_report(tx=tx, actor=visit.customer, report_id=report_id)
    except ReportNotFoundError:
        raise nothing_here() from None
    return Redirect(f"{_address(visit)}?done=report_revoked")


def _asked(fields: Mapping[str, str]) -> CreateAnalyticsReportRequest:
    """Read what a form asks for; what it does not have is left out."""
    return decode_body(CreateAnalyticsReportRequest, body_of(CreateAnalyticsReportRequest, fields))


def _address(visit: Visit) -> str:
    return f"{console_address(visit)}/analytics/reports"


_HERE: Final = "/console/{workspace}/analytics/reports"
REPORT_PAGES: Final = (
    Page("reports", "GET", _HERE, show_reports),
    Page("preview_report", "GET", f"{_HERE}/preview", preview_report),
    Page("make_report", "POST", _HERE, make_report),
    Page("revoke_report", "POST", f"{_HERE}/{{report}}/revoke", revoke_report),
)
