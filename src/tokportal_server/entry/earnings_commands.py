"""``tokportal-server earnings``: what managers are paid, and their statements."""

from __future__ import annotations

import re
import sys
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from cyclopts import App, Parameter

from tokportal_server.cli.order_administration import acting_operator
from tokportal_server.entry.installation import answer, settings, with_connection
from tokportal_server.entry.operator_options import Flag, Why, report, show
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.clock import in_utc, wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.earnings import rates, statements
from tokportal_server.workbench.earnings.money import minor_units, money
from tokportal_server.workbench.earnings.statement_csv import statement_csv
from tokportal_server.workbench.operations import adjust_earnings as adjusting
from tokportal_server.workbench.operations import answer_statement as answering
from tokportal_server.workbench.operations.set_rate import NewRate
from tokportal_server.workbench.operations.set_rate import set_rate as setting
from tokportal_server.workspaces.lookups import find_person

earnings = App(name="earnings", help="Set what managers are paid; read and settle statements.")
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
# An amount may be negative, which is no option.
Amount = Annotated[str, Parameter(allow_leading_hyphen=True)]


@earnings.command(name="set-rate")
def set_rate(
    kind: str,
    amount: str,
    *,
    why: Why,
    country: str | None = None,
    platform: str | None = None,
    currency: str | None = None,
    valid_from: datetime | None = None,
) -> int:
    """Set what a finished job pays; jobs that are finished before keep their rate.

    Parameters
    ----------
    kind
        account_setup, video, video_edit, story, comment or profile_edit.
    amount
        Such as 12.50; "none" ends an exception for a country or a platform.
    country
        Only in this country, by its code.
    platform
        Only on this platform.
    currency
        If not given, that of TOKPORTAL_EARNINGS_CURRENCY.
    valid_from
        From when on (UTC); from now on if not given.
    """
    coin = currency or settings().earnings_currency
    begins = None if valid_from is None else in_utc(valid_from)

    async def run(conn: Connection) -> int:
        rate = NewRate(
            kind=kind,
            amount=None if amount == "none" else _amount(amount, coin),
            currency=coin,
            country=country,
            platform=platform,
            valid_from=begins,
            reason=why.reason,
        )
        made = await setting(conn=conn, actor=await acting_operator(conn, why.by), rate=rate)
        paid = "no rate of its own" if rate.amount is None else money(rate.amount, coin)
        place = ", ".join(one for one in (country, platform) if one) or "everywhere"
        since = "now" if begins is None else wire_time(begins)
        report({"rate_id": made}, f"{kind} ({place}): {paid} from {since} on.", as_json=why.json)
        return 0

    return with_connection(run)


@earnings.command(name="rates")
def list_rates(*, json: Flag = False) -> int:
    """List every rate there ever was or is to be, the latest first.

    Parameters
    ----------
    json
        Answer with a JSON array, for scripts.
    """

    async def run(conn: Connection) -> int:
        found = await rates.rate_history(conn)
        if json:
            answer(msgspec.json.encode(found).decode())
            return 0
        rows = [
            (
                wire_time(rate.valid_from),
                rate.kind,
                rate.country or "all",
                rate.platform or "all",
                "ended" if rate.amount is None else money(rate.amount, rate.currency),
                rate.set_by or "",
            )
            for rate in found
        ]
        show(("from", "job", "country", "platform", "pays", "set by"), rows)
        return 0

    return with_connection(run)


@earnings.command(name="statements")
def list_statements(*, month: str | None = None, json: Flag = False) -> int:
    """List what managers are owed by month, the newest first.

    Parameters
    ----------
    month
        Only this one, such as 2026-11.
    json
        Answer with a JSON array, for scripts.
    """

    async def run(conn: Connection) -> int:
        only = None if month is None else _month(month)
        found = await statements.list_statements(conn, month=only)
        if json:
            answer(msgspec.json.encode(found).decode())
            return 0
        rows = [
            (
                f"{one.month:%Y-%m}",
                one.email,
                ", ".join(money(n, coin) for coin, n in sorted(one.totals.items())),
                str(one.entries),
                one.status,
                one.note or "",
            )
            for one in found
        ]
        show(("month", "manager", "owed", "entries", "status", "disputed because"), rows)
        return 0

    return with_connection(run)


@earnings.command(name="statement")
def statement(email: str, month: str) -> int:
    """Print a manager's statement of a month as CSV.

    Parameters
    ----------
    email
        Address that the manager signs in with.
    month
        Such as 2026-11.
    """

    async def run(conn: Connection) -> int:
        manager_id = await find_person(conn, email)
        found = await statements.get_statement(conn, manager_id, _month(month))
        entries = await statements.list_entries(conn, manager_id, found.month)
        sys.stdout.write(statement_csv(entries).decode("utf-8-sig"))
        return 0

    return with_connection(run)


@earnings.command(name="adjust")
def adjust(
    email: str, amount: Amount, *, why: Why, month: str | None = None, currency: str | None = None
) -> int:
    """Add an amount to what a manager is owed, or take it away if it is negative.

    Parameters
    ----------
    email
        Address that the manager signs in with.
    amount
        Such as 12.50 or -12.50.
    month
        Into which statement, such as 2026-11; the present one if not given.
    currency
        If not given, that of TOKPORTAL_EARNINGS_CURRENCY.
    """
    coin = currency or settings().earnings_currency

    async def run(conn: Connection) -> int:
        made = await adjusting.adjust_earnings(
            conn=conn,
            actor=await acting_operator(conn, why.by),
            manager_id=await find_person(conn, email),
            amount=_amount(amount, coin),
            currency=coin,
            reason=why.reason,
            month=None if month is None else _month(month),
        )
        told = f"{money(_amount(amount, coin), coin)} for {email}: noted."
        report({"entry_id": made}, told, as_json=why.json)
        return 0

    return with_connection(run)


@earnings.command(name="reverse")
def reverse(email: str, entry_id: UUID, *, why: Why) -> int:
    """Take back what a manager earned by one job.

    Parameters
    ----------
    email
        Address that the manager signs in with.
    entry_id
        The job's entry, as the statement lists it.
    """

    async def run(conn: Connection) -> int:
        await adjusting.reverse_earning(
            conn=conn,
            actor=await acting_operator(conn, why.by),
            manager_id=await find_person(conn, email),
            entry_id=entry_id,
            reason=why.reason,
        )
        report({"entry_id": entry_id}, f"Entry {entry_id} is taken back.", as_json=why.json)
        return 0

    return with_connection(run)


@earnings.command(name="settle")
def settle(email: str, month: str, *, why: Why) -> int:
    """Close the statement of a month that has been paid; the manager reads the reason.

    Parameters
    ----------
    email
        Address that the manager signs in with.
    month
        Such as 2026-11.
    """

    async def run(conn: Connection) -> int:
        done = await answering.settle_statement(
            conn=conn,
            actor=await acting_operator(conn, why.by),
            manager_id=await find_person(conn, email),
            month=_month(month),
            reason=why.reason,
        )
        owed = ", ".join(money(n, coin) for coin, n in sorted(done.totals.items()))
        report(
            {"month": month, "totals": done.totals, "status": done.status},
            f"{month} of {email} is settled: {owed}.",
            as_json=why.json,
        )
        return 0

    return with_connection(run)


def _amount(written: str, currency: str) -> int:
    try:
        return minor_units(written, currency)
    except ValueError as error:
        refuse([Problem("amount", str(error), written)])
        raise


def _month(written: str) -> date:
    """Read ``2026-11`` as the first day of the month."""
    found = _MONTH.fullmatch(written)
    if found is None or found[1] == "0000":
        refuse([Problem("month", "must be a month such as 2026-11", written)])
        raise ValueError(written)
    return date(int(found[1]), int(found[2]), 1)
