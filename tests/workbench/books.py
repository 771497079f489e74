"""The managers' books: rates, and letting the worker derive what was earned."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from tests.cast import World
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs.runner import JobRunner
from tokportal_server.lib.ports import Ports
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.workbench.earnings.booking import Entry, book, month_of
from tokportal_server.workbench.earnings.finished import (
    EARNING_EVENTS,
    EARNINGS_JOB,
    EarningsListener,
)
from tokportal_server.workbench.operations.set_rate import NewRate, set_rate

ENTRIES = """
SELECT type, kind, amount, currency, reason, subject, manager_id, month FROM earnings
 ORDER BY type, kind, ordinal
"""
THIS_MONTH = month_of(datetime.now(UTC))
LAST_MONTH = month_of(
    datetime(THIS_MONTH.year, THIS_MONTH.month, 1, tzinfo=UTC).replace(
        year=THIS_MONTH.year - (THIS_MONTH.month == 1),
        month=12 if THIS_MONTH.month == 1 else THIS_MONTH.month - 1,
    )
)


async def rated(conn: Connection, world: World, **amounts: int) -> None:
    """Have Olga set a rate in US cents for each kind of job that is named."""
    for kind, amount in amounts.items():
        await set_rate(
            conn=conn, actor=world.as_olga, rate=NewRate(kind=kind, amount=amount, currency="USD")
        )


async def derived(ports: Ports, *, ban_days: int = 0) -> None:
    """Let the worker dispatch what has happened and book what was earned by it."""
    dispatcher = Dispatcher(ports, {name: [EARNINGS_JOB] for name in EARNING_EVENTS})
    while await dispatcher.run_once():
        pass
    listener = EarningsListener(ports.database, currency="EUR", ban_days=ban_days)
    await JobRunner(ports.database, {EARNINGS_JOB: listener.run}).drain()


async def entries(conn: Connection) -> list[Any]:
    """Give the rows of the books, jobs before what took them back."""
    return list(await conn.fetch(ENTRIES))


async def earned(
    conn: Connection, world: World, amount: int = 500, *, month: date = LAST_MONTH, **more: Any
) -> UUID | None:
    """Book a job of Mona's as if she had finished it in a month; give the entry's id."""
    at = datetime(month.year, month.month, 2, 12, tzinfo=UTC)
    facts: dict[str, Any] = {
        "workspace_id": world.acme,
        "manager_id": world.mona,
        "type": "job",
        "kind": "video",
        "job_id": UUID(int=amount),
        "subject": "acme.daily #1",
        "country": "USA",
        "platform": "tiktok",
        "amount": amount,
        "currency": "USD",
        "at": at,
        **more,
    }
    async with conn.transaction():
        return await book(conn, Entry(**facts))
