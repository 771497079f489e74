"""``GET /reports/{token}``: a report, for whoever has its address; nobody signs in for it.

Not part of the API: no key, no envelope. What is not there, is over or was revoked are one and the
same 404. Search engines are told twice to stay away, and the page may load and run nothing.
"""

from __future__ import annotations

from typing import Any

from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from tokportal_server.analytics.reports.kept import find_report
from tokportal_server.analytics.reports.rendering import Document, render_missing, render_report
from tokportal_server.analytics.reports.tokens import ReportToken
from tokportal_server.lib.ports import Ports


def report_routes(ports: Ports) -> list[HTTPRouteHandler]:
    """Give the route, bound to this process's ports."""
    missing = render_missing()

    @route("/reports/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], status_code=200)
    async def report(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Show a report."""
        request.scope["tokportal_operation"] = "report"  # type: ignore[typeddict-unknown-key]
        token = ReportToken.read(str(request.path_params["token"]))
        if token is not None:
            async with ports.database.connection() as conn:
                content = await find_report(conn, token)
            if content is not None:
                return _answer(render_report(content), 200)
        return _answer(missing, 404)

    return [report]


def _answer(document: Document, status: int) -> Response[bytes]:
    return Response(
        document.html,
        status_code=status,
        media_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": document.policy,
            "X-Robots-Tag": "noindex, nofollow, noarchive",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            # A revoked report is gone from everywhere at once.
            "Cache-Control": "no-store",
        },
    )
