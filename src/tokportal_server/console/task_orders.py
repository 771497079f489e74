"""Ordering comments, one or several at a time: a form with rows, its price, what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokportal_server.comments.operations.create_comment_tasks import (
    Ordered,
    create_comment_tasks,
)
from tokportal_server.comments.rules import CommentGuards
from tokportal_server.comments.wire import CommentTaskRequest
from tokportal_server.console.acts import console_address, refusal_of, rehearse
from tokportal_server.console.bodies import body_of
from tokportal_server.console.once import new_word, perform_once
from tokportal_server.console.tasks import tasks_address
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Redirect, Refusal, Shown, Visit
from tokportal_server.pages.texts import text_or

# The accounts that can comment now, newest first: what the operation refuses is not offered.
WRITERS = """
SELECT id, username, platform, country FROM saved_accounts
 WHERE workspace_id = $1 AND status = 'active' AND delivered_at IS NOT NULL
   AND (consent_ends_at IS NULL OR consent_ends_at > $2)
 ORDER BY ordinal DESC LIMIT 500
"""
# A form has at most a hundred fields; a call of the API takes two hundred tasks.
_MOST_ROWS: Final = 20
_FIELDS: Final = CommentTaskRequest.__struct_fields__


async def show_order(visit: Visit) -> Answer:
    """Show the form of an order; an account and a post may be given in the address."""
    row = {name: visit.query.get(name, "") for name in _FIELDS}
    return await _form(visit, [row])


async def order(visit: Visit) -> Answer:
    """Add a row to the form, show what the order would cost, or order.

    Each row passes or is refused alone, as in the API: ordering what passes leaves the others in
    the form.
    """
    rows = _rows(visit.form)
    step = visit.field("step")
    if step == "add":
        return await _form(visit, [*rows, _next_row(rows)][:_MOST_ROWS])
    done: list[Ordered] = []

    async def act(tx: UnitOfWork) -> None:
        done.append(await _create(tx, visit, rows))

    async def again(visit: Visit, refusal: Refusal) -> Answer:
        return await _form(visit, rows, refusal=refusal)

    if step != "order":
        try:
            await rehearse(visit, act)
        except ApiError as error:
            return await again(visit, refusal_of("order", error, visit))
        return await _form(visit, rows, checked=done[0])
    then = f"{tasks_address(visit)}?done=tasks_ordered"
    answer = await perform_once(visit, "order", act, again=again, then=then)
    if isinstance(answer, Redirect) and done and done[0].rejected:
        return await _what_is_left(visit, rows, done[0])
    return answer


async def _what_is_left(visit: Visit, rows: Sequence[Mapping[str, str]], done: Ordered) -> Answer:
    """Show the rows that were refused, when the others are ordered."""
    left = [row for index, row in enumerate(rows) if index in done.rejected]
    wrong = dict(enumerate(done.rejected[index] for index in sorted(done.rejected)))
    return await _form(visit, left, checked=done, rejected=wrong, ordered=len(done.tasks))


async def _create(tx: UnitOfWork, visit: Visit, rows: Sequence[Mapping[str, str]]) -> Ordered:
    return await create_comment_tasks(
        tx=tx,
        actor=visit.customer,
        wanted=[_read(row) for row in rows],
        guards=CommentGuards.of(visit.ports.settings),
    )


def _read(row: Mapping[str, str]) -> CommentTaskRequest | ApiError:
    """Read a row as the API reads one; what cannot be read is its refusal."""
    try:
        return decode_body(CommentTaskRequest, body_of(CommentTaskRequest, row))
    except ApiError as error:
        return error


def _rows(form: Mapping[str, str]) -> list[dict[str, str]]:
    """Give the rows of a form, named ``0.comment_text`` and so on, without the empty ones."""
    rows = []
    for index in range(_MOST_ROWS):
        row = {name: form.get(f"{index}.{name}", "").strip() for name in _FIELDS}
        # The account is chosen before anything is written.
        if any(value for name, value in row.items() if name != "saved_account_id"):
            rows.append(row)
    return rows or [dict.fromkeys(_FIELDS, "")]


def _next_row(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Give an empty row of the same account and reference as the last one."""
    kept = ("saved_account_id", "brief_id")
    return {name: rows[-1][name] if name in kept else "" for name in _FIELDS}


async def _form(
    visit: Visit,
    rows: Sequence[Mapping[str, str]],
    *,
    checked: Ordered | None = None,
    rejected: Mapping[int, ApiError] | None = None,
    ordered: int = 0,
    refusal: Refusal | None = None,
) -> Answer:
    """Show the form with its rows, and beside each what is wrong with it."""
    accounts = await visit.conn.fetch(WRITERS, visit.workspace.id, visit.now)
    wrong = rejected if rejected is not None else (checked.rejected if checked else {})
    facts: dict[str, Any] = {
        "rows": [(row, _said(index, row, wrong)) for index, row in enumerate(rows)],
        "most": _MOST_ROWS,
        "accounts": accounts,
        "account_options": [(one["id"], _named(one)) for one in accounts],
        "checked": checked if checked and not ordered else None,
        "ordered": ordered,
        "address": f"{tasks_address(visit)}/new",
        "root": tasks_address(visit),
        "console": console_address(visit),
        "once": new_word(),
        "refusal": refusal,
    }
    return Shown("task_order.html", facts)


def _named(account: Row) -> str:
    platform = text_or(f"platform.{account['platform']}", account["platform"])
    return f"@{account['username']} · {platform} · {account['country']}"


def _said(index: int, row: Mapping[str, str], wrong: Mapping[int, ApiError]) -> Refusal | None:
    """Give the refusal of a row as that of a form, with the names of its fields in the page."""
    error = wrong.get(index)
    if error is None:
        return None
    form = f"row-{index}"
    listed = error.details.get("errors", [])
    fields = {f"{index}.{one['field']}": str(one["message"]) for one in listed}
    values = {f"{index}.{name}": value for name, value in row.items()}
    return Refusal(form, "" if fields else error.message, error.status, fields, values)


_HERE = "/console/{workspace}/comments/new"
COMMENT_ORDER_PAGES: Final = (
    Page("task_order", "GET", _HERE, show_order),
    Page("order_tasks", "POST", _HERE, order),
)
