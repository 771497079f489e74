"""The audit log's pages: a list with filters, one entry, the whole as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import msgspec

from tokportal_server.admin.audit_log import (
    Filter,
    all_entries,
    find_entry,
    known_actions,
    read_log,
)
from tokportal_server.admin.frame import A_PAGE, asked_day, asked_id, asked_number, show
from tokportal_server.lib.clock import real_now, wire_time
from tokportal_server.lib.csv_rows import csv_lines
from tokportal_server.lib.db import Database
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Stream, Visit, nothing_here
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

_FILTERS: Final = ("action", "who", "which", "from", "to")
COLUMNS: Final = (
    "recorded_at",
    "action",
    "subject_kind",
    "subject_id",
    "actor_kind",
    "actor_id",
    "actor_name",
    "actor_email",
    "address",
    "workspace_id",
    "workspace",
    "reason",
    "details",
)


async def show_audit(visit: Visit) -> Answer:
    """Show the log, newest first."""
    rows = await read_log(
        visit.conn, _filter(visit), before=asked_number(visit, "before"), most=A_PAGE + 1
    )
    asked = {name: visit.query.get(name, "") for name in _FILTERS}
    facts = {
        "entries": rows[:A_PAGE],
        "older": rows[A_PAGE - 1]["ordinal"] if len(rows) > A_PAGE else None,
        "asked": asked,
        "actions": await known_actions(visit.conn),
        "installation": INSTALLATION,
    }
    return await show(visit, "admin_audit.html", facts)


async def show_entry(visit: Visit) -> Answer:
    """Show one entry whole.

    Raises:
        PageNotFoundError: there is none.
    """
    written = visit.path["entry"]
    fits = written.isascii() and written.isdigit() and len(written) < len(str(2**63))
    entry = await find_entry(visit.conn, int(written)) if fits else None
    if entry is None:
        raise nothing_here()
    details = {name: _as_text(value) for name, value in entry["details"].items()}
    facts = {"entry": entry, "details": details, "installation": INSTALLATION}
    return await show(visit, "admin_audit_entry.html", facts)


async def export(visit: Visit) -> Answer:
    """Give what the filters leave as a file; that is an entry itself."""
    wanted = _filter(visit)
    await write_audit(
        visit.conn,
        workspace_id=INSTALLATION,
        action="audit.export",
        subject=("audit", None),
        actor=visit.operator,
        details={name: visit.query[name] for name in _FILTERS if visit.query.get(name)},
    )
    name = f"audit-{real_now():%Y-%m-%d}.csv"
    return Stream(_written(visit.ports.database, wanted), "text/csv; charset=utf-8", name)


def _filter(visit: Visit) -> Filter:
    which = visit.query.get("which", "").strip()
    # What is no id is nobody's: the list is empty instead of unfiltered.
    sought = asked_id(visit, "which") or (INSTALLATION if which else None)
    return Filter(
        action=visit.query.get("action") or None,
        who=visit.query.get("who", "").strip() or None,
        which=sought,
        begin=asked_day(visit, "from"),
        end=asked_day(visit, "to", end=True),
    )


async def _written(database: Database, wanted: Filter) -> AsyncIterator[bytes]:
    yield csv_lines([COLUMNS], every_cell_quoted=False)
    async for row in all_entries(database, wanted):
        cells = [_cell(row, name) for name in COLUMNS]
        yield csv_lines([cells], every_cell_quoted=False)


def _cell(row: Row, name: str) -> str:
    if name == "recorded_at":
        return str(wire_time(row[name]))
    return _as_text(row[name])


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | UUID):
        return str(value)
    return msgspec.json.encode(value).decode()


AUDIT_PAGES: Final = (
    Page("admin_audit", "GET", "/admin/audit", show_audit),
    Page("admin_audit_csv", "GET", "/admin/audit/export", export),
    Page("admin_audit_entry", "GET", "/admin/audit/{entry}", show_entry),
)
