"""The first page of operators: what needs one of them now, each with a way to it."""

from __future__ import annotations

from typing import Final

from tokportal_server.admin.frame import show
from tokportal_server.admin.order_health import list_overdue, list_stuck, list_unclaimed
from tokportal_server.lib.db import existing
from tokportal_server.pages.page import Answer, Page, Visit

# Each arm reads a partial index of what is rare.
COUNTS = """
SELECT (SELECT count(*) FROM comment_tasks t JOIN workspaces w ON w.id = t.workspace_id
         WHERE t.with_operator AND NOT w.rehearsal) AS disputes,
       (SELECT count(*) FROM pgqueuer WHERE status = 'failed') AS jobs,
       (SELECT count(*) FROM webhook_endpoints WHERE disabled_reason IS NOT NULL) AS disabled,
       (SELECT count(*) FROM webhook_endpoints
         WHERE enabled AND consecutive_failures >= 3) AS failing,
       (SELECT count(*) FROM events
         WHERE dispatched_at IS NULL AND recorded_at < now() - interval '1 minute') AS undispatched
"""


async def show_home(visit: Visit) -> Answer:
    """Show what needs an operator."""
    facts = {
        "counts": existing(await visit.conn.fetchrow(COUNTS)),
        "unclaimed": await list_unclaimed(visit.conn),
        "overdue": await list_overdue(visit.conn),
        "stuck": await list_stuck(visit.conn),
    }
    return await show(visit, "admin_home.html", facts)


HOME_PAGES: Final = (Page("admin_home", "GET", "/admin", show_home),)
