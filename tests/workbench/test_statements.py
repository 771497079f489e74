"""Statements of the month: agreed to, disputed, adjusted, settled."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.workbench.books import LAST_MONTH, THIS_MONTH, earned, entries
from tests.workbench.office import Office
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.workbench.earnings.errors import (
    EarningNotFoundError,
    StatementChangedError,
    StatementNotFoundError,
    StatementNotOverError,
    StatementSettledError,
)
from tokportal_server.workbench.earnings.money import decimal_of, minor_units, money
from tokportal_server.workbench.earnings.statement_csv import statement_csv
from tokportal_server.workbench.earnings.statements import (
    Statement,
    get_statement,
    list_entries,
    list_statements,
)
from tokportal_server.workbench.errors import ManagerNotFoundError
from tokportal_server.workbench.operations.adjust_earnings import adjust_earnings, reverse_earning
from tokportal_server.workbench.operations.answer_statement import (
    agree_to_statement,
    dispute_statement,
    settle_statement,
)
from tokportal_server.workspaces.audit import INSTALLATION


async def adjusted(conn: Connection, world: World, amount: int = 100, **more: object) -> UUID:
    facts = {"manager_id": world.mona, "currency": "USD", "reason": "Lost a day.", **more}
    return await adjust_earnings(conn=conn, actor=world.as_olga, amount=amount, **facts)  # type: ignore[arg-type]


async def settled(conn: Connection, world: World) -> Statement:
    return await settle_statement(
        conn=conn,
        actor=world.as_olga,
        manager_id=world.mona,
        month=LAST_MONTH,
        reason="Paid by transfer 4711.",
    )


async def test_a_month_adds_up_by_currency_and_is_open_until_somebody_says_something(
    conn: Connection, world: World
) -> None:
    for number, currency in ((500, "USD"), (250, "USD"), (90, "EUR")):
        await earned(conn, world, number, currency=currency)
    await earned(conn, world, 7, month=THIS_MONTH)
    newest, last = await list_statements(conn, manager_id=world.mona)
    assert (newest.month, newest.totals, newest.is_over) == (THIS_MONTH, {"USD": 7}, False)
    assert (last.month, last.totals, last.is_over) == (LAST_MONTH, {"USD": 750, "EUR": 90}, True)
    assert (last.status, last.entries, last.manager) == ("open", 3, "Mona")
    assert await list_statements(conn, month=LAST_MONTH, status="agreed") == []


async def test_a_manager_agrees_to_what_they_saw_and_to_nothing_else(
    conn: Connection, world: World
) -> None:
    await earned(conn, world, 500)
    await earned(conn, world, 20)
    with pytest.raises(StatementChangedError):
        await agree_to_statement(conn=conn, actor=world.as_mona, month=LAST_MONTH, entries=1)
    await agree_to_statement(conn=conn, actor=world.as_mona, month=LAST_MONTH, entries=2)
    assert (await get_statement(conn, world.mona, LAST_MONTH)).status == "agreed"
    # Something comes late: what was agreed to is not that any more.
    await earned(conn, world, 30)
    assert (await get_statement(conn, world.mona, LAST_MONTH)).status == "open"


async def test_a_dispute_stays_one_through_an_adjustment_until_the_manager_agrees(
    conn: Connection, world: World
) -> None:
    await earned(conn, world, 500)
    dispute = {"conn": conn, "actor": world.as_mona, "month": LAST_MONTH, "entries": 1}
    with pytest.raises(ValidationError):
        await dispute_statement(**dispute, note=" ")  # type: ignore[arg-type]
    await dispute_statement(**dispute, note="A post is missing.")  # type: ignore[arg-type]
    await adjusted(conn, world, month=LAST_MONTH)
    found = await get_statement(conn, world.mona, LAST_MONTH)
    assert (found.status, found.note) == ("disputed", "A post is missing.")
    await agree_to_statement(conn=conn, actor=world.as_mona, month=LAST_MONTH, entries=2)
    assert (await get_statement(conn, world.mona, LAST_MONTH)).status == "agreed"


async def test_a_month_that_runs_is_neither_agreed_to_nor_settled(
    conn: Connection, world: World
) -> None:
    await earned(conn, world, 500, month=THIS_MONTH)
    with pytest.raises(StatementNotOverError):
        await agree_to_statement(conn=conn, actor=world.as_mona, month=THIS_MONTH, entries=1)
    with pytest.raises(StatementNotOverError):
        await settle_statement(
            conn=conn,
            actor=world.as_olga,
            manager_id=world.mona,
            month=THIS_MONTH,
            reason="Early.",
        )
    with pytest.raises(StatementNotFoundError):
        await settled(conn, world)


async def test_what_is_settled_is_closed_and_later_entries_go_into_the_present_month(
    conn: Connection, world: World, olga: Office
) -> None:
    entry_id = await earned(conn, world, 500)
    assert entry_id is not None
    statement = await settled(conn, world)
    assert (statement.status, statement.answer) == ("settled", "Paid by transfer 4711.")
    with pytest.raises(StatementSettledError):
        await settled(conn, world)
    with pytest.raises(StatementSettledError):
        await agree_to_statement(conn=conn, actor=world.as_mona, month=LAST_MONTH, entries=1)
    with pytest.raises(StatementSettledError):
        await adjusted(conn, world, month=LAST_MONTH)
    await earned(conn, world, 30)
    await reverse_earning(
        conn=conn,
        actor=world.as_olga,
        manager_id=world.mona,
        entry_id=entry_id,
        reason="Posted twice.",
    )
    [now, then] = await list_statements(conn, manager_id=world.mona)
    assert (then.totals, now.month, now.totals) == ({"USD": 500}, THIS_MONTH, {"USD": -470})
    told = [*await olga.audit(INSTALLATION), *await olga.audit()]
    assert [
        (row["action"], row["reason"]) for row in told if row["action"].startswith("earnings.")
    ] == [
        ("earnings.settle", "Paid by transfer 4711."),
        ("earnings.reverse", "Posted twice."),
    ]


async def test_what_is_booked_while_a_month_is_settled_is_in_it_or_in_the_present_one(
    conn: Connection, world: World, ports: Ports
) -> None:
    await earned(conn, world, 500)

    async def late(number: int) -> None:
        async with ports.database.connection() as other:
            await earned(other, world, number)

    async with asyncio.TaskGroup() as group:
        settling = group.create_task(settled(conn, world))
        for number in range(1, 6):
            group.create_task(late(number))
    closed = settling.result().totals
    assert (await get_statement(conn, world.mona, LAST_MONTH)).totals == closed
    listed = await list_statements(conn, manager_id=world.mona)
    assert sum(one.totals["USD"] for one in listed) == 515


async def test_an_entry_is_taken_back_once(conn: Connection, world: World) -> None:
    entry_id = await earned(conn, world, 500)
    taking = {"conn": conn, "actor": world.as_olga, "manager_id": world.mona, "reason": "Wrong."}
    await reverse_earning(**taking, entry_id=entry_id)  # type: ignore[arg-type]
    for again in (entry_id, uuid4()):
        with pytest.raises(EarningNotFoundError):
            await reverse_earning(**taking, entry_id=again)  # type: ignore[arg-type]
    assert [row["amount"] for row in await entries(conn)] == [500, -500]
    rows = await list_entries(conn, world.mona, LAST_MONTH)
    assert [row["taken_back"] for row in rows] == [True, False]
    assert rows[1]["made_by"] == "olga@example.com"


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"reason": ""},
        {"currency": "dollars"},
        {"month": THIS_MONTH + timedelta(days=40)},
        {"month": THIS_MONTH + timedelta(days=1)},
    ],
)
async def test_refuses_an_adjustment_that_says_nothing(
    conn: Connection, world: World, wrong: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        await adjusted(conn, world, **wrong)  # type: ignore[arg-type]
    assert await entries(conn) == []


async def test_only_managers_are_owed_anything(conn: Connection, world: World) -> None:
    with pytest.raises(ManagerNotFoundError):
        await adjusted(conn, world, manager_id=world.alice)


async def test_the_sheet_has_every_entry_and_no_formula(conn: Connection, world: World) -> None:
    await earned(conn, world, 1250, subject='=HYPERLINK("https://x.example")')
    await adjusted(conn, world, -50, month=LAST_MONTH, reason="@SUM(1)")
    raw = statement_csv(await list_entries(conn, world.mona, LAST_MONTH)).decode("utf-8-sig")
    job, adjustment = csv.DictReader(io.StringIO(raw))
    assert (job["type"], job["amount"], job["currency"]) == ("job", "12.50", "USD")
    assert job["subject"].startswith("'=")
    assert (adjustment["amount"], adjustment["reason"]) == ("-0.50", "'@SUM(1)")


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(1250, "USD", "12.50"), (-5, "EUR", "-0.05"), (300, "JPY", "300"), (1234, "KWD", "1.234")],
)
def test_amounts_are_written_and_read_in_the_units_of_their_currency(
    amount: int, currency: str, written: str
) -> None:
    assert decimal_of(amount, currency) == written
    assert money(amount, currency) == f"{written} {currency}"
    assert minor_units(written, currency) == amount
    assert minor_units(f" {written.replace('.', ',')} ", currency) == amount


@pytest.mark.parametrize("written", ["", "a", "1.234", "NaN", "1e30", "Infinity"])
def test_what_is_no_amount_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ValueError, match=r"such as 12\.50"):
        minor_units(written, "USD")
