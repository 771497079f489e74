"""What people write under the workspace's posts: the pulse of the stored comments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from tokportal_server.accounts.queries import list_accounts
from tokportal_server.accounts.wire import ListAccountsQuery
from tokportal_server.analytics.charts import Bar, Point, bar_chart, ranked_bars
from tokportal_server.analytics.levels import includes, level_of
from tokportal_server.analytics.pulse.counting import CommentPulse, DayCount
from tokportal_server.analytics.pulse.reading import CommentPulseQuery, comment_pulse
from tokportal_server.console.acts import console_address
from tokportal_server.console.lists import blank, query_of
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import Answer, Page, Shown, Visit
from tokportal_server.pages.texts import text
from tokportal_server.workspaces.reference import list_platforms

_MOST_DAYS: Final = 92
_MOODS: Final = ("positive", "neutral", "negative", "unknown")


async def show_pulse(visit: Visit) -> Answer:
    """Show volume, moods, words, questions and samples of the comments that filters mean."""
    conn, workspace_id = visit.conn, visit.workspace.id
    query, filters = query_of(visit, CommentPulseQuery)
    level = await level_of(conn, workspace_id)
    pulse, wrong = None, ""
    if includes(level, "full"):
        try:
            pulse = await comment_pulse(conn, workspace_id, query, now=visit.now)
        except ApiError as error:
            wrong = error.message
    accounts, _ = await list_accounts(
        conn,
        workspace_id,
        ListAccountsQuery(per_page=100),
        base_url=visit.ports.settings.origin(),
    )
    facts = {
        "level": level,
        "pulse": pulse,
        "wrong": wrong,
        "charts": _charts(pulse) if pulse else {},
        "moods": [(mood, getattr(pulse.sentiment, mood)) for mood in _MOODS] if pulse else [],
        "filters": {**blank(CommentPulseQuery), **filters},
        "accounts": [(str(one.id), f"@{one.username}") for one in accounts],
        "platforms": [(one.code, one.name) for one in await list_platforms(conn)],
        "address": f"{console_address(visit)}/analytics/comments",
    }
    return Shown("analytics_pulse.html", facts)


def _charts(pulse: CommentPulse) -> dict[str, object]:
    volume = _every_day(pulse.volume)
    terms = [Bar(term.term, term.count) for term in pulse.terms[:12]]
    return {
        "volume": bar_chart(volume, name=text("pulse.volume"), numbers=text("analytics.numbers")),
        "terms": ranked_bars(terms, name=text("pulse.terms")),
    }


def _every_day(volume: Sequence[DayCount]) -> list[Point]:
    """Give the days between the first and the last comment, those without any too."""
    counts = {day.date: day.count for day in volume}
    first, last = min(counts, default=None), max(counts, default=None)
    if first is None or last is None:
        return []
    days = (first + timedelta(at) for at in range((last - first).days + 1))
    return [Point(day, counts.get(day, 0)) for day in list(days)[-_MOST_DAYS:]]


PULSE_PAGES: Final = (
    Page("comment_pulse", "GET", "/console/{workspace}/analytics/comments", show_pulse),
)
