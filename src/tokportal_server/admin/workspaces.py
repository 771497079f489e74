"""Workspaces: a list with search, one with everything that operators decide about it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from tokportal_server.admin.audit_log import about
from tokportal_server.admin.frame import (
    A_PAGE,
    Preview,
    asked_page,
    decimal_or_none,
    perform,
    show,
    whole_or_none,
)
from tokportal_server.credits.ledger import spendable
from tokportal_server.credits.queries import UPCOMING
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit, nothing_here
from tokportal_server.rehearsal.open_workspace import open_workspace
from tokportal_server.workbench.operations.erase_workspace import begin_erasing
from tokportal_server.workbench.operations.set_bucket import set_bucket
from tokportal_server.workbench.operations.set_plan import PLANS, set_plan
from tokportal_server.workspaces.erasing import erasure_of
from tokportal_server.workspaces.operations.api_keys import list_api_keys
from tokportal_server.workspaces.operations.members import list_members

LIST = """
SELECT w.id, w.name, w.plan, w.rehearsal, w.created_at,
       array(SELECT p.email FROM workspace_members m JOIN people p ON p.id = m.person_id
              WHERE m.workspace_id = w.id AND m.role = 'owner' ORDER BY p.email) AS owners,
       (SELECT COALESCE(sum(l.remaining), 0) FROM credit_lots l
         WHERE l.workspace_id = w.id AND l.remaining > 0
           AND (l.expires_at IS NULL OR l.expires_at > now() + w.clock_offset)) AS credits,
       (SELECT COALESCE(sum(c.n), 0) FROM counters c
         WHERE c.workspace_id = w.id AND c.kind = 'bundle'
           AND c.status IN ('published', 'published_priority', 'accepted')) AS open_orders
  FROM workspaces w
 WHERE ($1::text IS NULL OR w.id::text = lower($1)
        OR strpos(lower(w.name), lower($1)) > 0
        OR EXISTS (SELECT FROM workspace_members m JOIN people p ON p.id = m.person_id
                    WHERE m.workspace_id = w.id AND strpos(lower(p.email), lower($1)) > 0))
   AND ($2::boolean OR NOT w.rehearsal)
 ORDER BY w.created_at DESC, w.id LIMIT $3 OFFSET $4
"""
ONE = "SELECT *, now() + clock_offset AS now FROM workspaces WHERE id = $1"
COUNTS = """
SELECT status, n FROM counters WHERE workspace_id = $1 AND kind = 'bundle' AND n > 0
 ORDER BY status
"""
PAUSE = """
SELECT reason, set_at FROM kill_switches WHERE scope = 'workspace' AND subject_id = $1
"""
ENDPOINTS = """
SELECT id, url, enabled, disabled_reason, consecutive_failures FROM webhook_endpoints
 WHERE workspace_id = $1 ORDER BY ordinal
"""


async def show_workspaces(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the workspaces, the newest first, or what a search found."""
    sought = visit.query.get("q", "").strip()[:200]
    number = asked_page(visit)
    rehearsals = visit.query.get("rehearsals") == "yes"
    rows = await visit.conn.fetch(
        LIST, sought or None, rehearsals, A_PAGE + 1, (number - 1) * A_PAGE
    )
    facts = {
        "q": sought,
        "rehearsals": rehearsals,
        "workspaces": rows[:A_PAGE],
        "page": number,
        "more": len(rows) > A_PAGE,
        "plans": PLANS,
    }
    return await show(visit, "admin_workspaces.html", facts, refusal)


async def post_create(visit: Visit) -> Answer:
    """Make a workspace."""
    try:
        made = await open_workspace(
            conn=visit.conn,
            actor=visit.operator,
            name=visit.field("name"),
            owner=visit.field("owner"),
            rehearsal=visit.field("rehearsal") == "true",
            plan=visit.field("plan"),
        )
    except ApiError as error:
        return await show_workspaces(visit, Refusal.of("create", error, visit))
    return Redirect(f"/admin/workspaces/{made}?done=workspace_created")


async def show_workspace(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show one workspace.

    Raises:
        PageNotFoundError: there is no such workspace.
    """
    workspace_id = visit.id("workspace_id")
    one = await find_workspace(visit.conn, workspace_id)
    facts: dict[str, Any] = {
        "one": one,
        "members": await list_members(visit.conn, workspace_id),
        "keys": await list_api_keys(conn=visit.conn, workspace_id=workspace_id),
        "credits": await spendable(visit.conn, workspace_id, one["now"]),
        "lots": await visit.conn.fetch(UPCOMING, workspace_id, one["now"]),
        "counts": await visit.conn.fetch(COUNTS, workspace_id),
        "endpoints": await visit.conn.fetch(ENDPOINTS, workspace_id),
        "pause": await visit.conn.fetchrow(PAUSE, workspace_id),
        "audited": await about(visit.conn, workspace_id, workspace_id),
        "erasure": await erasure_of(visit.conn, workspace_id),
        "plans": PLANS,
        "capacity": visit.ports.settings.key_bucket_capacity,
        "refill": visit.ports.settings.key_bucket_refill_per_second,
    }
    return await show(visit, "admin_workspace.html", facts, refusal, preview)


async def find_workspace(conn: Connection, workspace_id: UUID) -> Row:
    """Give a workspace, with its own now.

    Raises:
        PageNotFoundError: there is no such workspace.
    """
    one: Row | None = await conn.fetchrow(ONE, workspace_id)
    if one is None:
        raise nothing_here()
    return one


async def post_plan(visit: Visit) -> Answer:
    """Change the plan."""
    workspace_id = visit.id("workspace_id")

    async def change() -> None:
        await set_plan(
            conn=visit.conn,
            actor=visit.operator,
            workspace_id=workspace_id,
            plan=visit.field("plan"),
            reason=visit.field("reason"),
        )

    then = f"/admin/workspaces/{workspace_id}?done=plan"
    return await perform(visit, "plan", change, again=show_workspace, then=then)


async def post_bucket(visit: Visit) -> Answer:
    """Give a key a rate limit of its own."""
    workspace_id, key_id = visit.id("workspace_id"), visit.id("key")

    async def change() -> None:
        await set_bucket(
            conn=visit.conn,
            actor=visit.operator,
            workspace_id=workspace_id,
            key_id=key_id,
            capacity=whole_or_none(visit, "bucket_capacity"),
            refill=decimal_or_none(visit, "bucket_refill"),
        )

    then = f"/admin/workspaces/{workspace_id}?done=bucket"
    return await perform(visit, f"bucket-{key_id}", change, again=show_workspace, then=then)


async def post_erase(visit: Visit) -> Answer:
    """Begin to erase a workspace; workers do the rest."""
    workspace_id = visit.id("workspace_id")

    async def begin() -> None:
        await begin_erasing(
            conn=visit.conn,
            actor=visit.operator,
            workspace_id=workspace_id,
            name=visit.field("name"),
            reason=visit.field("reason"),
        )

    then = f"/admin/workspaces/{workspace_id}?done=erasing"
    return await perform(visit, "erase", begin, again=show_workspace, then=then)


_ONE = "/admin/workspaces/{workspace_id}"
WORKSPACE_PAGES: Final = (
    Page("admin_workspaces", "GET", "/admin/workspaces", show_workspaces),
    Page("admin_create_workspace", "POST", "/admin/workspaces", post_create),
    Page("admin_workspace", "GET", _ONE, show_workspace),
    Page("admin_plan", "POST", f"{_ONE}/plan", post_plan),
    Page("admin_erase_workspace", "POST", f"{_ONE}/erase", post_erase),
    Page("admin_bucket", "POST", f"{_ONE}/keys/{{key}}", post_bucket),
)
