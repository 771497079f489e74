"""Search: orders by what people remember of them, among those that the person may see.

A customer finds the orders of their workspaces, a manager those that they hold or could claim, an
operator those of everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tokportal_server.bundles.search import FoundBundle, find_bundles
from tokportal_server.lib.db import Connection
from tokportal_server.pages.page import Answer, Page, Shown, Visit
from tokportal_server.pages.sessions import Person
from tokportal_server.pages.texts import text

_COLUMNS: Final = """
b.workspace_id, b.id, b.bundle_type, b.platform, b.country, b.status, b.title, b.external_ref,
       COALESCE(a.username, p.username) AS username, b.created_at
"""
_PARTS: Final = """
  LEFT JOIN profiles p ON p.workspace_id = b.workspace_id AND p.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
"""
# $2 is the id that was asked for, or null.
BY_ID = f"""
SELECT {_COLUMNS}, 'id' AS matched FROM bundles b {_PARTS}
 WHERE b.id = $2 AND ($1::uuid[] IS NULL OR b.workspace_id = ANY ($1))
"""
# A manager sees of an order what its pages show them: the account, not the customer's own words.
HELD = f"""
SELECT {_COLUMNS}, CASE WHEN b.id = $2 THEN 'id' ELSE 'username' END AS matched
  FROM claims k JOIN bundles b ON b.workspace_id = k.workspace_id AND b.id = k.bundle_id {_PARTS}
 WHERE k.manager_id = $1 AND k.status = 'live'
   AND (b.id = $2 OR starts_with(lower(COALESCE(a.username, p.username)), lower($3)))
 ORDER BY lower(COALESCE(a.username, p.username)), b.id LIMIT 20
"""
OFFERED = f"""
SELECT {_COLUMNS}, CASE WHEN b.id = $2 THEN 'id' ELSE 'username' END AS matched
  FROM managers m
  JOIN bundles b ON b.country = ANY (m.countries) AND b.platform = ANY (m.platforms)
                AND b.status IN ('published', 'published_priority')
  JOIN workspaces w ON w.id = b.workspace_id AND NOT w.rehearsal {_PARTS}
 WHERE m.person_id = $1 AND m.active
   AND (b.id = $2 OR starts_with(lower(a.username), lower($3)))
 ORDER BY lower(a.username), b.id LIMIT 20
"""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Found:
    """An order that was found, by what, and where its page is for whoever searches."""

    id: UUID
    bundle_type: str
    platform: str
    country: str
    status: str
    title: str | None
    external_ref: str | None
    username: str | None
    matched: str
    link: str


async def show_search(visit: Visit) -> Answer:
    """Ask what to search, and show what was found, by where it belongs."""
    sought = visit.query.get("q", "").strip()[:_LONGEST]
    found = await search(visit.conn, visit.person, sought) if sought else []
    return Shown("search.html", {"q": sought, "found": found})


async def search(conn: Connection, person: Person, sought: str) -> list[tuple[str, list[Found]]]:
    """Give what a person may see of what they seek, under headings; empty ones are left out."""
    wanted = _as_id(sought)
    found: list[tuple[str, list[Found]]] = []
    if person.operator:
        rows = await _orders(conn, sought, wanted, None)
        found.append((text("search.everywhere"), [_found(row, "admin") for row in rows]))
    if person.manager:
        held = await conn.fetch(HELD, person.id, wanted, sought)
        offered = await conn.fetch(OFFERED, person.id, wanted, sought)
        found.append((text("search.claims"), [_found(_of_manager(row), "desk") for row in held]))
        found.append(
            (text("search.offers"), [_found(_of_manager(row), "offer") for row in offered])
        )
    for workspace in person.workspaces:
        rows = await _orders(conn, sought, wanted, workspace.id)
        heading = text("search.orders", name=workspace.name)
        found.append((heading, [_found(row, "console") for row in rows]))
    return [(heading, rows) for heading, rows in found if rows]


async def _orders(
    conn: Connection, sought: str, wanted: UUID | None, workspace_id: UUID | None
) -> list[dict[str, Any]]:
    if wanted is not None:
        workspaces = None if workspace_id is None else [workspace_id]
        return [dict(row) for row in await conn.fetch(BY_ID, workspaces, wanted)]
    rows: list[FoundBundle] = await find_bundles(conn, sought, workspace_id=workspace_id)
    return [msgspec.structs.asdict(row) for row in rows]


def _of_manager(row: asyncpg.Record) -> dict[str, Any]:
    return {**dict(row), "title": None, "external_ref": None}


def _found(row: dict[str, Any], kind: str) -> Found:
    workspace_id, bundle_id = row["workspace_id"], row["id"]
    links = {
        "console": f"/console/{workspace_id}/bundles/{bundle_id}",
        "desk": f"/desk/{workspace_id}/{bundle_id}",
        "offer": "/desk",
        "admin": f"/admin/orders/{bundle_id}",
    }
    facts = {name: row[name] for name in Found.__slots__ if name != "link"}
    return Found(**facts, link=links[kind])


def _as_id(sought: str) -> UUID | None:
    try:
        return UUID(sought)
    except ValueError:
        return None


SEARCH_PAGES: Final = (Page("search", "GET", "/search", show_search),)
