"""A workspace's credits as operators decide them: grants, adjustments, refunds, the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from uuid import UUID

from tokportal_server.admin.frame import (
    A_PAGE,
    Preview,
    asked_day,
    asked_number,
    identifier,
    perform,
    refused,
    show,
    wants_preview,
    whole,
    whole_or_none,
)
from tokportal_server.admin.workspaces import find_workspace
from tokportal_server.credits import lapses
from tokportal_server.credits.ledger import spendable
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Visit
from tokportal_server.pages.texts import text
from tokportal_server.workbench.acting import act
from tokportal_server.workbench.operations.adjust_credits import adjust_credits
from tokportal_server.workbench.operations.grant_credits import grant_credits
from tokportal_server.workbench.operations.refund_debit import refund_debit

LEDGER = """
SELECT e.id, e.type, e.amount, e.description, e.breakdown, e.balance_after, e.reference_kind,
       e.reference_id, e.refunds_entry_id, e.actor_kind, COALESCE(p.name, k.name) AS actor_name,
       e.created_at, e.ordinal,
       CASE WHEN e.type = 'debit' THEN -e.amount - COALESCE((
           SELECT sum(r.amount) FROM credit_entries r
            WHERE r.workspace_id = e.workspace_id AND r.refunds_entry_id = e.id), 0) END AS open
  FROM credit_entries e
  LEFT JOIN people p ON p.id = e.actor_id
  LEFT JOIN api_keys k ON k.workspace_id = e.workspace_id AND k.id = e.actor_id
 WHERE e.workspace_id = $1
   AND ($2::bigint IS NULL OR e.ordinal < $2)
   AND ($3::text IS NULL OR e.type = $3)
   AND ($4::timestamptz IS NULL OR e.created_at >= $4)
   AND ($5::timestamptz IS NULL OR e.created_at < $5)
   AND ($6::uuid IS NULL OR e.id = $6 OR e.reference_id = $6 OR e.refunds_entry_id = $6)
 ORDER BY e.ordinal DESC LIMIT $7
"""
TYPES: Final = ("debit", "credit", "refund", "expiry", "adjustment")
_FILTERS: Final = ("type", "from", "to", "which")


async def show_credits(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show the ledger with the forms that write to it.

    Raises:
        PageNotFoundError: there is no such workspace.
    """
    workspace_id = visit.id("workspace_id")
    one = await find_workspace(visit.conn, workspace_id)
    asked = {name: visit.query.get(name, "").strip() for name in _FILTERS}
    rows = await visit.conn.fetch(
        LEDGER,
        workspace_id,
        asked_number(visit, "before"),
        asked["type"] if asked["type"] in TYPES else None,
        asked_day(visit, "from"),
        asked_day(visit, "to", end=True),
        _which(asked["which"]),
        A_PAGE + 1,
    )
    facts = {
        "one": one,
        "credits": await spendable(visit.conn, workspace_id, one["now"]),
        "low_mark": await lapses.low_mark_of(visit.conn, workspace_id),
        "entries": rows[:A_PAGE],
        "older": rows[A_PAGE - 1]["ordinal"] if len(rows) > A_PAGE else None,
        "asked": asked,
        "types": TYPES,
        "debit": visit.query.get("debit", ""),
    }
    return await show(visit, "admin_credits.html", facts, refusal, preview)


def _which(written: str) -> UUID | None:
    try:
        return UUID(written) if written else None
    except ValueError:
        # What is no id is nobody's: the list is empty instead of unfiltered.
        return UUID(int=0)


async def post_grant(visit: Visit) -> Answer:
    """Grant credits, or say what the balance would be."""
    return await _move(
        visit,
        "grant",
        lambda: partial(
            grant_credits,
            amount=whole(visit, "amount"),
            reason=visit.field("reason"),
            expires_in_days=whole_or_none(visit, "expires_in_days"),
        ),
    )


async def post_adjust(visit: Visit) -> Answer:
    """Correct the balance, or say what it would be."""
    return await _move(
        visit,
        "adjust",
        lambda: partial(
            adjust_credits, amount=whole(visit, "amount"), reason=visit.field("reason")
        ),
    )


async def post_refund(visit: Visit) -> Answer:
    """Give a part of a debit back, or say what the balance would be."""
    return await _move(
        visit,
        "refund",
        lambda: partial(
            refund_debit,
            entry_id=identifier(visit, "entry_id") or UUID(int=0),
            amount=whole(visit, "amount"),
            reason=visit.field("reason"),
            bundle_id=identifier(visit, "bundle_id"),
        ),
    )


async def _move(
    visit: Visit, form: str, read: Callable[[], Callable[..., Awaitable[int]]]
) -> Answer:
    """Run an operation that moves credits, or show the balance that it would leave."""
    workspace_id = visit.id("workspace_id")
    looking = wants_preview(visit)
    try:
        operation = read()
        balance = await act(
            visit.conn,
            workspace_id,
            lambda tx: operation(tx=tx, actor=visit.operator),
            preview=looking,
        )
    except ApiError as error:
        return await refused(visit, form, error, show_credits)
    if not looking:
        return Redirect(f"/admin/workspaces/{workspace_id}/credits?done=credits")
    amount = whole(visit, "amount")
    sentences = (text("admin.moved", n=amount), text("admin.balance_then", n=balance))
    return await show_credits(visit, None, Preview(form, visit.form, sentences))


async def post_low_mark(visit: Visit) -> Answer:
    """Set below which balance the workspace is told."""
    workspace_id = visit.id("workspace_id")

    async def mark(tx: UnitOfWork) -> None:
        await lapses.set_low_mark(
            tx=tx, actor=visit.operator, credits_below=whole(visit, "credits_below")
        )

    async def change() -> None:
        await act(visit.conn, workspace_id, mark)

    then = f"/admin/workspaces/{workspace_id}/credits?done=low_mark"
    return await perform(visit, "low_mark", change, again=show_credits, then=then)


_HERE = "/admin/workspaces/{workspace_id}/credits"
CREDIT_PAGES: Final = (
    Page("admin_credits", "GET", _HERE, show_credits),
    Page("admin_grant", "POST", f"{_HERE}/grant", post_grant),
    Page("admin_adjust", "POST", f"{_HERE}/adjust", post_adjust),
    Page("admin_refund", "POST", f"{_HERE}/refund", post_refund),
    Page("admin_low_mark", "POST", f"{_HERE}/low-mark", post_low_mark),
)
