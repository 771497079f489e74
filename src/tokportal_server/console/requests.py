"""The API request log, for its workspace to read: which requests, and one by its id."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from tokportal_server.console.acts import console_address
from tokportal_server.console.lists import link, options
from tokportal_server.http.request_log import REQUESTS_KEPT
from tokportal_server.pages.page import Answer, Page, Redirect, Shown, Visit, nothing_here
from tokportal_server.pages.texts import text
from tokportal_server.workspaces.operations.api_keys import list_api_keys

# By the place in the log, not by a number of rows: a page costs the same however long the log is.
_COLUMNS = """
SELECT r.*, k.name AS key_name, k.environment FROM api_requests r
  LEFT JOIN api_keys k ON k.workspace_id = r.workspace_id AND k.id = r.api_key_id
 WHERE r.workspace_id = $1
"""
_FILTERS = """
   AND ($2::bigint IS NULL OR r.ordinal < $2)
   AND r.status BETWEEN $3 AND $4
   AND ($5::text IS NULL OR strpos(r.path, $5) > 0)
   AND ($6::uuid IS NULL OR r.api_key_id = $6)
   AND r.recorded_at >= $7 AND r.recorded_at < $8
 ORDER BY r.ordinal DESC LIMIT $9
"""
LIST = _COLUMNS + _FILTERS
# The same with a condition that the index of refusals has.
LIST_REFUSED = _COLUMNS + " AND r.status >= 400" + _FILTERS
BY_ID = _COLUMNS + " AND r.request_id = $2 ORDER BY r.ordinal DESC LIMIT 20"
_PER_PAGE: Final = 50
# From which status on a request is in the index of refusals.
_REFUSED: Final = 400
# What people pick, as the statuses from and to.
_STATUSES: Final = {
    "any": (100, 599),
    "refused": (400, 599),
    "2xx": (200, 299),
    "4xx": (400, 499),
    "5xx": (500, 599),
}
_DAY: Final = timedelta(days=1)


async def show_requests(visit: Visit) -> Answer:
    """List requests, newest first, or lead to the one whose id was asked for."""
    address = f"{console_address(visit)}/requests"
    if sought := visit.query.get("id", "").strip():
        return Redirect(link(f"{address}/find", {"id": sought}))
    filters = _understood(visit)
    low, high = _status_range(filters.get("status", "any"))
    before = int(filters["before"]) if "before" in filters else None
    of = (filters.get("path"), filters.get("key"), *_span(filters))
    match = (visit.workspace.id, before, low, high, *of, _PER_PAGE + 1)
    if low >= _REFUSED:
        rows = await visit.conn.fetch(LIST_REFUSED, *match)
    else:
        rows = await visit.conn.fetch(LIST, *match)
    shown = rows[:_PER_PAGE]
    older = None
    if len(rows) > _PER_PAGE:
        older = link(address, filters, before=shown[-1]["ordinal"])
    newest = link(address, {k: v for k, v in filters.items() if k != "before"})
    keys = await list_api_keys(conn=visit.conn, workspace_id=visit.workspace.id)
    facts: dict[str, Any] = {
        "requests": shown,
        "filters": filters,
        "status_options": options("request_status", _STATUSES),
        "key_options": [("", text("list.all")), *((str(key.id), key.name) for key in keys)],
        "older": older,
        "newest": newest if before is not None else None,
        "kept_days": REQUESTS_KEPT.days,
        "address": address,
    }
    return Shown("requests.html", facts)


async def show_request(visit: Visit) -> Answer:
    """Show everything that is kept of a request; a client may have given one id to several.

    Raises:
        PageNotFoundError: there is none with this id (any more).
    """
    rows = await visit.conn.fetch(BY_ID, visit.workspace.id, visit.query.get("id", "").strip())
    if not rows:
        raise nothing_here()
    facts = {"requests": rows, "address": f"{console_address(visit)}/requests"}
    return Shown("request.html", facts)


def _understood(visit: Visit) -> dict[str, str]:
    """Give those filters of the address that are ones."""
    given = {
        name: visit.query.get(name, "").strip()[:200]
        for name in ("status", "path", "key", "from", "to", "before")
    }
    judges: dict[str, Callable[[str], bool]] = {
        "status": lambda text: text in _STATUSES or _is_number(text, 3),
        "path": bool,
        "key": _is_id,
        "from": _is_day,
        "to": _is_day,
        "before": lambda text: _is_number(text, 18),
    }
    return {name: text for name, text in given.items() if text and judges[name](text)}


def _status_range(status: str) -> tuple[int, int]:
    return _STATUSES[status] if status in _STATUSES else (int(status), int(status))


def _span(filters: dict[str, str]) -> tuple[datetime, datetime]:
    """Give the time that the days of the filters span; all that is kept without them."""
    now = datetime.now(UTC)
    begin, end = now - 2 * REQUESTS_KEPT, now + _DAY
    if "from" in filters:
        begin = datetime.combine(date.fromisoformat(filters["from"]), time.min, UTC)
    if "to" in filters:
        end = datetime.combine(date.fromisoformat(filters["to"]), time.min, UTC) + _DAY
    return begin, end


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text) < date.max
    except ValueError:
        return False


_HERE = "/console/{workspace}/requests"
REQUEST_PAGES: Final = (
    Page("requests", "GET", _HERE, show_requests),
    Page("request", "GET", f"{_HERE}/find", show_request),
)
