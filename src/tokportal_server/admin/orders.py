"""Orders as operators see them: which do not move, one of them whole, and what can be decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

from tokportal_server.admin import order_health as health
from tokportal_server.admin.audit_log import about
from tokportal_server.admin.frame import Preview, refused, show, wants_preview, whole, whole_or_none
from tokportal_server.bundles.search import find_bundles
from tokportal_server.lib.db import Connection
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.cancellation import Cancelled
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.orders.locks import Row
from tokportal_server.orders.rules import OrderRules
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit, nothing_here
from tokportal_server.pages.texts import text
from tokportal_server.workbench.acting import act, workspace_of_bundle
from tokportal_server.workbench.operations.archive_bundle import archive_bundle
from tokportal_server.workbench.operations.cancel_bundle import cancel_bundle
from tokportal_server.workbench.operations.cancel_slot import cancel_slot
from tokportal_server.workbench.operations.reverse_charges import reverse_charges
from tokportal_server.workspaces.reference import list_countries, list_platforms

ORDER = """
SELECT b.*, w.name AS workspace, w.rehearsal, now() + w.clock_offset AS now,
       f.status AS profile_status, f.review_deadline_at AS profile_review, a.id AS account_id,
       a.status AS account_status, COALESCE(a.username, f.username) AS username,
       k.manager_id, p.name AS manager, k.claimed_at, k.due_at,
       (SELECT COALESCE(sum(amount), 0) FROM bundle_charges c
         WHERE c.workspace_id = b.workspace_id AND c.bundle_id = b.id) AS charged,
       (SELECT COALESCE(sum(refunded), 0) FROM bundle_charges c
         WHERE c.workspace_id = b.workspace_id AND c.bundle_id = b.id) AS refunded
  FROM bundles b
  JOIN workspaces w ON w.id = b.workspace_id
  LEFT JOIN profiles f ON f.workspace_id = b.workspace_id AND f.bundle_id = b.id
  LEFT JOIN saved_accounts a ON a.workspace_id = b.workspace_id AND a.id = b.saved_account_id
  LEFT JOIN claims k ON k.workspace_id = b.workspace_id AND k.bundle_id = b.id
                    AND k.status = 'live'
  LEFT JOIN people p ON p.id = k.manager_id
 WHERE b.workspace_id = $1 AND b.id = $2
"""
SLOTS = """
SELECT position, name, status, media_status, download_issue ->> 'reason' AS issue, target_start,
       target_end, overdue_at, review_deadline_at, platform_url
  FROM slots WHERE workspace_id = $1 AND bundle_id = $2 ORDER BY position
"""
TIMELINE = """
SELECT j.kind, j.from_status, j.to_status, j.actor_kind, j.reason, j.at, s.position,
       COALESCE(p.name, k.name) AS actor_name
  FROM journal j
  LEFT JOIN slots s ON s.workspace_id = j.workspace_id AND s.id = j.object_id AND j.kind = 'slot'
  LEFT JOIN people p ON p.id = j.actor_id
  LEFT JOIN api_keys k ON k.workspace_id = j.workspace_id AND k.id = j.actor_id
 WHERE j.workspace_id = $1 AND j.root_id = $2
 ORDER BY j.ordinal DESC LIMIT 200
"""
_ENDED: Final = ("completed", "cancelled", "archived")


async def show_orders(visit: Visit) -> Answer:
    """Show the orders that do not move, by why; or what a search found."""
    sought = visit.query.get("q", "").strip()[:200]
    country = visit.query.get("country") or None
    platform = visit.query.get("platform") or None
    places = (country, platform)
    facts: dict[str, Any] = {
        "q": sought,
        "country": country or "",
        "platform": platform or "",
        "countries": await list_countries(visit.conn),
        "platforms": await list_platforms(visit.conn),
        "found": await _search(visit.conn, sought) if sought else None,
        "unclaimed": await health.list_unclaimed(visit.conn, *places),
        "overdue": await health.list_overdue(visit.conn, *places),
        "stuck": await health.list_stuck(visit.conn, *places),
        "by_place": await health.open_by_place(visit.conn),
        "most": health.MOST,
    }
    return await show(visit, "admin_orders.html", facts)


async def _search(conn: Connection, sought: str) -> list[Any]:
    try:
        bundle_id = UUID(sought)
        workspace_id = await workspace_of_bundle(conn, bundle_id)
    except (ValueError, BundleNotFoundError):
        return list(await find_bundles(conn, sought, workspace_id=None))
    return [await conn.fetchrow(ORDER, workspace_id, bundle_id)]


async def show_order(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show one order with everything about it.

    Raises:
        PageNotFoundError: there is no such order.
    """
    bundle_id = visit.id("bundle")
    workspace_id = await _workspace_of(visit)
    order: Row | None = await visit.conn.fetchrow(ORDER, workspace_id, bundle_id)
    facts = {
        "order": order,
        "slots": await visit.conn.fetch(SLOTS, workspace_id, bundle_id),
        "timeline": await visit.conn.fetch(TIMELINE, workspace_id, bundle_id),
        "audited": await about(visit.conn, workspace_id, bundle_id),
        "ended": _ENDED,
    }
    return await show(visit, "admin_order.html", facts, refusal, preview)


async def post_cancel(visit: Visit) -> Answer:
    """Cancel the order, or say what that would give back."""
    return await _refunding(
        visit,
        "cancel",
        lambda: partial(
            cancel_bundle,
            bundle_id=visit.id("bundle"),
            reason=visit.field("reason"),
            amount=whole_or_none(visit, "amount"),
        ),
    )


async def post_cancel_slot(visit: Visit) -> Answer:
    """Take a slot out of the order, or say what that would give back."""
    return await _refunding(
        visit,
        "slot",
        lambda: partial(
            cancel_slot,
            bundle_id=visit.id("bundle"),
            position=whole(visit, "position"),
            reason=visit.field("reason"),
            rules=OrderRules.of(visit.ports.settings),
            amount=whole_or_none(visit, "amount"),
        ),
    )


async def post_reverse(visit: Visit) -> Answer:
    """Give the order's price back while it is being set up, or say how much that is."""
    return await _refunding(
        visit,
        "reverse",
        lambda: partial(
            reverse_charges, bundle_id=visit.id("bundle"), reason=visit.field("reason")
        ),
    )


async def post_archive(visit: Visit) -> Answer:
    """Put the order away."""
    bundle_id = visit.id("bundle")
    workspace_id = await _workspace_of(visit)

    async def archive(tx: UnitOfWork) -> None:
        await archive_bundle(
            tx=tx, actor=visit.operator, bundle_id=bundle_id, reason=visit.field("reason")
        )

    try:
        await act(visit.conn, workspace_id, archive)
    except ApiError as error:
        return await refused(visit, "archive", error, show_order)
    return Redirect(f"/admin/orders/{bundle_id}?done=archived")


async def _refunding(
    visit: Visit, form: str, read: Callable[[], Callable[..., Awaitable[Cancelled]]]
) -> Answer:
    """Run an operation that gives credits back, or show what it would give back."""
    workspace_id = await _workspace_of(visit)
    looking = wants_preview(visit)
    try:
        operation = read()
        done = await act(
            visit.conn,
            workspace_id,
            lambda tx: operation(tx=tx, actor=visit.operator),
            preview=looking,
        )
    except ApiError as error:
        return await refused(visit, form, error, show_order)
    if not looking:
        return Redirect(f"/admin/orders/{visit.id('bundle')}?done=order_{form}")
    refund = done.refund
    parts = {name: amount for name, amount in refund.breakdown.items() if name != "total"}
    sentences = (
        text("admin.refund", n=refund.amount, most=refund.most),
        text("admin.balance_then", n=done.credits_remaining),
    )
    return await show_order(visit, None, Preview(form, visit.form, sentences, parts))


async def _workspace_of(visit: Visit) -> UUID:
    try:
        return await workspace_of_bundle(visit.conn, visit.id("bundle"))
    except BundleNotFoundError:
        raise nothing_here() from None


_ONE = "/admin/orders/{bundle}"
ORDER_PAGES: Final = (
    Page("admin_orders", "GET", "/admin/orders", show_orders),
    Page("admin_order", "GET", _ONE, show_order),
    Page("admin_cancel", "POST", f"{_ONE}/cancel", post_cancel),
    Page("admin_cancel_slot", "POST", f"{_ONE}/slot", post_cancel_slot),
    Page("admin_reverse", "POST", f"{_ONE}/reverse", post_reverse),
    Page("admin_archive", "POST", f"{_ONE}/archive", post_archive),
)
