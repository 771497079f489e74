"""What a manager has earned: months, the statement of one, agreeing to it or disputing it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Final

from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Stream,
    Visit,
    nothing_here,
)
from tokportal_server.workbench.earnings.money import money, totals_of
from tokportal_server.workbench.earnings.rates import Rate, pay_for, rates_at
from tokportal_server.workbench.earnings.statement_csv import statement_csv
from tokportal_server.workbench.earnings.statements import (
    get_statement,
    list_entries,
    list_statements,
)
from tokportal_server.workbench.operations.answer_statement import (
    agree_to_statement,
    dispute_statement,
)

_MONTH: Final = re.compile(r"([1-9]\d{3})-(0[1-9]|1[0-2])", re.ASCII)
PLACES = "SELECT countries, platforms FROM managers WHERE person_id = $1"


async def show_earnings(visit: Visit) -> Answer:
    """Show a manager's months, and what their jobs pay at present."""
    places = await visit.conn.fetchrow(PLACES, visit.person.id)
    rates = await rates_at(visit.conn, real_now())
    facts = {
        "statements": await list_statements(visit.conn, manager_id=visit.person.id),
        "rates": _own(rates, places) if places else [],
        "totals_of": totals_of,
        "money": money,
    }
    return Shown("earnings.html", facts)


def _own(rates: Sequence[Rate], places: Row) -> list[Rate]:
    """Leave out the rates of places in which the manager does not work."""
    return [
        rate
        for rate in rates
        if rate.country in (None, *places["countries"])
        and rate.platform in (None, *places["platforms"])
    ]


def pay_of_order(rates: Sequence[Rate], order: Row) -> str:
    """Write what an order pays if every post of it is approved, as far as there are rates.

    A story among its posts may have another rate.
    """
    counts = {
        "account_setup": int(order["bundle_type"] != "videos_only"),
        "video": order["videos_quantity"],
        "video_edit": order["edits_quantity"],
    }
    sums: dict[str, int] = defaultdict(int)
    for kind, number in counts.items():
        rate = pay_for(rates, kind, order["country"], order["platform"])
        if rate is not None and number:
            sums[rate.currency] += (rate.amount or 0) * number
    return totals_of(sums)


async def show_statement(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the statement of a month with every entry, and the forms to answer it."""
    month = _month(visit)
    entries = await list_entries(visit.conn, visit.person.id, month)
    facts = {
        "statement": await get_statement(visit.conn, visit.person.id, month),
        "entries": entries,
        "by_kind": _by_kind(entries),
        "address": f"/desk/earnings/{visit.path['month']}",
        "totals_of": totals_of,
        "money": money,
        "refusal": refusal,
    }
    return Shown("statement.html", facts)


def _by_kind(entries: Sequence[Row]) -> list[tuple[str, str, int]]:
    """Count the jobs of a statement that stand, by their kind; and add up what they pay."""
    counts: dict[str, int] = defaultdict(int)
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        if entry["type"] == "job" and not entry["taken_back"]:
            counts[entry["kind"]] += 1
            sums[entry["kind"]][entry["currency"]] += entry["amount"]
    return [(kind, totals_of(sums[kind]), number) for kind, number in counts.items()]


async def download_statement(visit: Visit) -> Answer:
    """Give the statement of a month as CSV."""
    month = _month(visit)
    await get_statement(visit.conn, visit.person.id, month)
    entries = await list_entries(visit.conn, visit.person.id, month)
    return Stream.of(statement_csv(entries), "text/csv", f"earnings-{month:%Y-%m}.csv")


async def post_agree(visit: Visit) -> Answer:
    """Agree to a statement as it was shown."""
    try:
        await agree_to_statement(
            conn=visit.conn, actor=visit.manager, month=_month(visit), entries=_seen(visit)
        )
    except ApiError as error:
        return await show_statement(visit, Refusal.of("agree", error, visit))
    return Redirect(f"/desk/earnings/{visit.path['month']}?done=agreed")


async def post_dispute(visit: Visit) -> Answer:
    """Say what is wrong with a statement."""
    try:
        await dispute_statement(
            conn=visit.conn,
            actor=visit.manager,
            month=_month(visit),
            entries=_seen(visit),
            note=visit.field("note"),
        )
    except ApiError as error:
        return await show_statement(visit, Refusal.of("dispute", error, visit))
    return Redirect(f"/desk/earnings/{visit.path['month']}?done=disputed")


def _seen(visit: Visit) -> int:
    """Read how many entries the page had that the form was on; of no page of ours, none."""
    typed = visit.field("entries")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= len("999999") else -1


def _month(visit: Visit) -> date:
    """Read the month of the address, such as ``2026-11``."""
    found = _MONTH.fullmatch(visit.path["month"])
    if found is None:
        raise nothing_here()
    return date(int(found[1]), int(found[2]), 1)


_ONE = "/desk/earnings/{month}"
EARNINGS_PAGES: Final = (
    Page("earnings", "GET", "/desk/earnings", show_earnings),
    Page("statement", "GET", _ONE, show_statement),
    Page("statement_csv", "GET", f"{_ONE}/csv", download_statement),
    Page("agree_statement", "POST", f"{_ONE}/agree", post_agree),
    Page("dispute_statement", "POST", f"{_ONE}/dispute", post_dispute),
)
