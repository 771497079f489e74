"""What a person was told: the list behind the bell, reading it, and choosing what to be told."""

from __future__ import annotations

from typing import Final, get_args
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.pages.notice_links import link_of
from tokportal_server.pages.page import Answer, Page, Redirect, Shown, Visit, nothing_here
from tokportal_server.workspaces.notices import Topic

LIST = """
SELECT n.id, n.workspace_id, n.topic, n.text, n.created_at, n.read_at, w.name AS workspace
  FROM notices n JOIN workspaces w ON w.id = n.workspace_id
 WHERE n.person_id = $1 AND n.on_page
 ORDER BY n.told_at DESC, n.id LIMIT $2 OFFSET $3
"""
READ = """
UPDATE notices SET read_at = COALESCE(read_at, now())
 WHERE person_id = $1 AND id = $2 AND on_page
RETURNING workspace_id, topic, about
"""
READ_ALL = "UPDATE notices SET read_at = now() WHERE person_id = $1 AND on_page AND read_at IS NULL"
CHOICES = "SELECT topic, on_page, by_mail FROM notice_choices WHERE person_id = $1"
CHOOSE = """
INSERT INTO notice_choices (person_id, topic, on_page, by_mail)
SELECT $1, * FROM unnest($2::text[], $3::boolean[], $4::boolean[])
    ON CONFLICT (person_id, topic)
    DO UPDATE SET on_page = excluded.on_page, by_mail = excluded.by_mail
"""
TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)
_A_PAGE = 50
# One more page than anybody turns.
_MOST_PAGES = 1000


async def show_notices(visit: Visit) -> Answer:
    """Show what the person was told, the newest first."""
    asked = visit.query.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else 1
    page = min(max(page, 1), _MOST_PAGES)
    # One more than is shown says whether there is another page.
    rows = await visit.conn.fetch(LIST, visit.person.id, _A_PAGE + 1, (page - 1) * _A_PAGE)
    facts = {
        "notices": rows[:_A_PAGE],
        "page": page,
        "more": len(rows) > _A_PAGE,
        "choices": await choices_of(visit.conn, visit.person.id),
        "mail": visit.ports.settings.smtp_host is not None,
    }
    return Shown("notices.html", facts)


async def choices_of(conn: Connection, person_id: UUID) -> list[tuple[Topic, bool, bool]]:
    """Give every topic with whether it comes on the page and by mail."""
    chosen = {row["topic"]: row for row in await conn.fetch(CHOICES, person_id)}
    both = {"on_page": True, "by_mail": True}
    found = ((topic, chosen.get(topic, both)) for topic in TOPICS)
    return [(topic, row["on_page"], row["by_mail"]) for topic, row in found]


async def open_notice(visit: Visit) -> Answer:
    """Mark one as read, and lead to what it is about."""
    row = await visit.conn.fetchrow(READ, visit.person.id, visit.id("notice"))
    if row is None:
        raise nothing_here()
    return Redirect(link_of(row))


async def read_all(visit: Visit) -> Answer:
    """Mark all as read."""
    await visit.conn.execute(READ_ALL, visit.person.id)
    return Redirect("/notices?done=notices_read")


async def choose(visit: Visit) -> Answer:
    """Keep what the person wants to be told of, and how."""
    on_page = [f"page-{topic}" in visit.form for topic in TOPICS]
    by_mail = [f"mail-{topic}" in visit.form for topic in TOPICS]
    if visit.ports.settings.smtp_host is None:
        # The form has no such boxes: what was chosen before stays.
        by_mail = [mail for _, _, mail in await choices_of(visit.conn, visit.person.id)]
    await visit.conn.execute(CHOOSE, visit.person.id, list(TOPICS), on_page, by_mail)
    return Redirect("/notices?done=notices_chosen")


NOTICE_PAGES: Final = (
    Page("notices", "GET", "/notices", show_notices),
    Page("read_notices", "POST", "/notices/read", read_all),
    Page("choose_notices", "POST", "/notices/choices", choose),
    Page("open_notice", "POST", "/notices/{notice}", open_notice),
)
