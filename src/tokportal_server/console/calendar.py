"""The calendar of slots: what goes up on which day, for a month or a week.

Days are those of UTC on the workspace's clock, as the rules of dates count them (contract section
7). A slot stands on the first day of its window.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from tokportal_server.bundles.queries import get_bundle
from tokportal_server.console.acts import console_address, is_writer
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Shown, Visit, nothing_here
from tokportal_server.pages.stale import version_of
from tokportal_server.videos.operations.patch_slot import EDITABLE
from tokportal_server.videos.schedule import today

# More than anybody looks at in a month; the page says when there are more.
_MOST: Final = 500
_EARLIEST, _LATEST = date(2000, 1, 1), date(8999, 12, 31)
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
SLOTS_BETWEEN = """
SELECT s.id, s.bundle_id, s.position, s.status, s.name, s.video_type, s.target_start, s.target_end,
       s.media_status, s.overdue_at, s.content ->> 'description' AS caption, b.title, b.platform,
       b.country, COALESCE(a.username, p.username) AS username
  FROM slots s
  JOIN bundles b ON b.workspace_id = s.workspace_id AND b.id = s.bundle_id
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
 WHERE s.workspace_id = $1 AND s.target_start BETWEEN $2 AND $3 AND s.status <> 'cancelled'
   AND ($4::uuid IS NULL OR s.bundle_id = $4)
 ORDER BY s.target_start, b.ordinal, s.position LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are shown: whole weeks from a Monday, around a month or one week.

    ``view`` is how an address says it; ``before`` and ``after`` are the views beside it.
    """

    name: str
    first: date
    weeks: int
    begin: date
    end: date
    view: str
    before: str
    after: str

    @property
    def last(self) -> date:
        """The last day shown."""
        return self.first + timedelta(days=7 * self.weeks - 1)

    def days(self) -> list[list[date]]:
        """Give the days, week by week."""
        return [
            [self.first + timedelta(days=7 * week + day) for day in range(7)]
            for week in range(self.weeks)
        ]


async def show_calendar(visit: Visit) -> Answer:
    """Show a month, or a week; of the workspace, or of one bundle.

    Raises:
        PageNotFoundError: it is to be of a bundle that the workspace does not have.
    """
    now = today(visit.now)
    span = _span(visit, now)
    bundle = await _bundle(visit)
    bundle_id = bundle.id if bundle else None
    rows: list[Any] = await visit.conn.fetch(
        SLOTS_BETWEEN, visit.workspace.id, span.first, span.last, bundle_id, _MOST + 1
    )
    of = f"&bundle={bundle_id}" if bundle_id else ""
    facts = {
        "span": span,
        "views": {
            "this": span.view + of,
            "before": span.before + of,
            "after": span.after + of,
            "month": f"month={max(span.begin, span.first):%Y-%m}{of}",
            "week": f"week={_chosen_week(span, now)}{of}",
            "today": (f"month={now:%Y-%m}" if span.name == "month" else f"week={now}") + of,
        },
        "bundle": bundle,
        "slots": _by_day(rows[:_MOST]),
        "versions": {row["id"]: _version(row) for row in rows},
        "most": _MOST if len(rows) > _MOST else None,
        "movable": EDITABLE if is_writer(visit) else (),
        "today": now,
        "console": console_address(visit),
        "address": f"{console_address(visit)}/calendar",
    }
    return Shown("calendar.html", facts)


def _version(row: Row) -> str:
    return version_of({"target_publish_date": row["target_start"].isoformat()})


def _by_day(rows: list[Row]) -> dict[date, list[Row]]:
    found: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["target_start"]].append(row)
    return dict(found)


async def _bundle(visit: Visit) -> Any:
    if "bundle" not in visit.query:
        return None
    try:
        return await get_bundle(visit.conn, visit.workspace.id, UUID(visit.query["bundle"]))
    except (ValueError, BundleNotFoundError):
        raise nothing_here() from None


def _span(visit: Visit, now: date) -> Span:
    """Read which days are wanted; what is none means this month."""
    if "week" in visit.query:
        return _week(_day_of(visit.query["week"], now))
    wanted = _MONTH.fullmatch(visit.query.get("month", ""))
    return _month(_day_of(f"{wanted[0]}-01" if wanted else "", now))


def _day_of(written: str, otherwise: date) -> date:
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return otherwise
    return min(max(day, _EARLIEST), _LATEST)


def _week(day: date) -> Span:
    monday = day - timedelta(days=day.weekday())
    around = [f"week={monday + timedelta(days=7 * n)}" for n in (0, -1, 1)]
    return Span("week", monday, 1, monday, monday + timedelta(days=6), *around)


def _month(day: date) -> Span:
    begin = day.replace(day=1)
    after = (begin + timedelta(days=31)).replace(day=1)
    before = (begin - timedelta(days=1)).replace(day=1)
    monday = begin - timedelta(days=begin.weekday())
    end = after - timedelta(days=1)
    around = [f"month={one:%Y-%m}" for one in (begin, before, after)]
    return Span("month", monday, (end - monday).days // 7 + 1, begin, end, *around)


def _chosen_week(span: Span, now: date) -> date:
    """Give a day of the week to change to: this week if it is shown, else the first."""
    return now if span.begin <= now <= span.end else span.begin


CALENDAR_PAGES: Final = (Page("calendar", "GET", "/console/{workspace}/calendar", show_calendar),)
