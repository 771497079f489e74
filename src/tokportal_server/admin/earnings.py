"""What managers are owed: rates, statements of the month, corrections, what has been paid."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final, get_args
from uuid import UUID

from tokportal_server.admin.frame import Preview, perform, refused, show
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Stream,
    Visit,
    nothing_here,
)
from tokportal_server.workbench.earnings.booking import month_of
from tokportal_server.workbench.earnings.errors import StatementNotFoundError
from tokportal_server.workbench.earnings.money import minor_units, money, totals_of
from tokportal_server.workbench.earnings.rates import KINDS, rate_history, rates_at
from tokportal_server.workbench.earnings.statement_csv import statement_csv
from tokportal_server.workbench.earnings.statements import (
    StatementStatus,
    get_statement,
    list_entries,
    list_statements,
)
from tokportal_server.workbench.operations.adjust_earnings import (
    adjust_earnings,
    reverse_earning,
)
from tokportal_server.workbench.operations.answer_statement import settle_statement
from tokportal_server.workbench.operations.set_rate import NewRate, set_rate
from tokportal_server.workspaces.reference import list_countries, list_platforms

STATUSES: Final[tuple[StatementStatus, ...]] = get_args(StatementStatus)
MANAGERS = """
SELECT m.person_id AS id, p.name, p.email FROM managers m JOIN people p ON p.id = m.person_id
 WHERE m.rehearsal_workspace_id IS NULL ORDER BY p.name, p.email
"""


async def show_earnings(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show the statements of all managers, and what jobs pay."""
    status = next((one for one in STATUSES if one == visit.query.get("status")), None)
    facts = {
        "status": status or "",
        "statuses": STATUSES,
        "statements": await list_statements(visit.conn, status=status),
        "rates": await rates_at(visit.conn, real_now()),
        "history": await rate_history(visit.conn),
        "kinds": KINDS,
        "countries": await list_countries(visit.conn),
        "platforms": await list_platforms(visit.conn),
        "managers": await visit.conn.fetch(MANAGERS),
        "currency": visit.ports.settings.earnings_currency,
        "money": money,
        "totals_of": totals_of,
    }
    return await show(visit, "admin_earnings.html", facts, refusal, preview)


async def post_rate(visit: Visit) -> Answer:
    """Set what a finished job pays from a time on."""

    async def change() -> None:
        written = visit.field("amount")
        rate = NewRate(
            kind=visit.field("kind"),
            amount=_amount(visit, "amount") if written else None,
            currency=visit.ports.settings.earnings_currency,
            country=visit.field("country") or None,
            platform=visit.field("platform") or None,
            valid_from=_begins(visit),
            reason=visit.field("reason") or None,
        )
        await set_rate(conn=visit.conn, actor=visit.operator, rate=rate)

    return await perform(
        visit, "rate", change, again=show_earnings, then="/admin/earnings?done=rate"
    )


async def post_adjust(visit: Visit) -> Answer:
    """Add to what a manager is owed, or take away."""
    try:
        manager_id, month = _manager(visit), _asked_month(visit)
        await adjust_earnings(
            conn=visit.conn,
            actor=visit.operator,
            manager_id=manager_id,
            amount=_amount(visit, "amount"),
            currency=visit.ports.settings.earnings_currency,
            reason=visit.field("reason"),
            month=month,
        )
    except ApiError as error:
        return await refused(visit, "adjust", error, show_earnings)
    into = month or month_of(real_now())
    return Redirect(f"/admin/earnings/{manager_id}/{into:%Y-%m}?done=adjusted")


async def show_statement(
    visit: Visit, refusal: Refusal | None = None, preview: Preview | None = None
) -> Answer:
    """Show the statement of a manager's month with every entry.

    Raises:
        PageNotFoundError: nothing was earned in it.
    """
    manager_id, month = visit.id("who"), _month_of(visit.path["month"])
    try:
        statement = await get_statement(visit.conn, manager_id, month)
    except StatementNotFoundError:
        raise nothing_here() from None
    facts: dict[str, Any] = {
        "statement": statement,
        "entries": await list_entries(visit.conn, manager_id, month),
        "address": _address(visit),
        "money": money,
        "totals_of": totals_of,
    }
    return await show(visit, "admin_statement.html", facts, refusal, preview)


async def post_settle(visit: Visit) -> Answer:
    """Close a month that has been paid."""
    seen = visit.field("entries")

    async def settle() -> None:
        await settle_statement(
            conn=visit.conn,
            actor=visit.operator,
            manager_id=visit.id("who"),
            month=_month_of(visit.path["month"]),
            entries=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else -1,
            reason=visit.field("reason"),
        )

    then = f"{_address(visit)}?done=statement_settled"
    return await perform(visit, "settle", settle, again=show_statement, then=then)


async def post_reverse(visit: Visit) -> Answer:
    """Take back what was earned by one job."""
    entry_id = visit.id("entry")

    async def reverse() -> None:
        await reverse_earning(
            conn=visit.conn,
            actor=visit.operator,
            manager_id=visit.id("who"),
            entry_id=entry_id,
            reason=visit.field("reason"),
        )

    then = f"{_address(visit)}?done=taken_back"
    return await perform(visit, f"reverse-{entry_id}", reverse, again=show_statement, then=then)


async def download(visit: Visit) -> Answer:
    """Give a statement as CSV."""
    month = _month_of(visit.path["month"])
    entries = await list_entries(visit.conn, visit.id("who"), month)
    name = f"earnings-{visit.id('who')}-{month:%Y-%m}.csv"
    return Stream.of(statement_csv(entries), "text/csv; charset=utf-8", name)


def _amount(visit: Visit, name: str) -> int:
    """Read an amount of money of a form, as minor units.

    Raises:
        ValidationError: it is none.
    """
    written = visit.field(name)
    try:
        return minor_units(written, visit.ports.settings.earnings_currency)
    except ValueError as error:
        refuse([Problem(name, str(error), written)])
        raise


def _manager(visit: Visit) -> UUID:
    written = visit.field("manager")
    try:
        return UUID(written)
    except ValueError:
        refuse([Problem("manager", "must be a manager", written)])
        raise


def _begins(visit: Visit) -> datetime | None:
    written = visit.field("valid_from")
    try:
        return datetime.fromisoformat(written).replace(tzinfo=UTC) if written else None
    except ValueError:
        refuse([Problem("valid_from", "must be a day and time", written)])
        raise


def _asked_month(visit: Visit) -> date | None:
    written = visit.field("month")
    try:
        return date.fromisoformat(f"{written}-01") if written else None
    except ValueError:
        refuse([Problem("month", "must be a month, such as 2026-11", written)])
        raise


def _month_of(written: str) -> date:
    try:
        return date.fromisoformat(f"{written}-01")
    except ValueError:
        raise nothing_here() from None


def _address(visit: Visit) -> str:
    return f"/admin/earnings/{visit.id('who')}/{visit.path['month']}"


_ONE = "/admin/earnings/{who}/{month}"
EARNINGS_PAGES: Final = (
    Page("admin_earnings", "GET", "/admin/earnings", show_earnings),
    Page("admin_rate", "POST", "/admin/earnings/rates", post_rate),
    Page("admin_adjust_earnings", "POST", "/admin/earnings/adjust", post_adjust),
    Page("admin_statement", "GET", _ONE, show_statement),
    Page("admin_statement_csv", "GET", f"{_ONE}/csv", download),
    Page("admin_settle_statement", "POST", f"{_ONE}/settle", post_settle),
    Page("admin_reverse_earning", "POST", f"{_ONE}/entries/{{entry}}/reverse", post_reverse),
)
