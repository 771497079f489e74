"""An operator corrects what a manager is owed: an amount, or the entry of one job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.earnings.booking import (
    Entry,
    book,
    is_settled,
    lock_books,
    month_of,
)
from tokportal_server.workbench.earnings.errors import EarningNotFoundError, StatementSettledError
from tokportal_server.workbench.earnings.money import MOST, money
from tokportal_server.workbench.earnings.reversal import reverse_all
from tokportal_server.workbench.errors import ManagerNotFoundError
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

MANAGER_EXISTS = """
SELECT 1 FROM managers WHERE person_id = $1 AND rehearsal_workspace_id IS NULL
"""
JOB_ENTRY = "SELECT * FROM earnings WHERE manager_id = $1 AND id = $2 AND type = 'job'"
_CURRENCY = re.compile(r"[A-Z]{3}")
_SUBJECT = "adjustment"


async def adjust_earnings(
    *,
    conn: Connection,
    actor: Actor,
    manager_id: UUID,
    amount: int,
    currency: str,
    reason: str,
    month: date | None = None,
) -> UUID:
    """Add ``amount`` minor units to a manager's month, or take them away if it is negative.

    Without ``month`` (its first day) it is the present one. Gives the entry's id.

    Raises:
        ManagerNotFoundError: there is no such manager.
        ValidationError: no reason is given; the amount is 0 or out of its bounds; or the month is
            none that has begun.
        StatementSettledError: the month is closed.
    """
    check_reason(reason)
    now = real_now()
    into = month_of(now) if month is None else month
    refuse(list(_problems(amount, currency, into)))
    async with conn.transaction():
        if await conn.fetchval(MANAGER_EXISTS, manager_id) is None:
            raise ManagerNotFoundError(f"There is no manager {manager_id} among the people.")
        await lock_books(conn, manager_id)
        if await is_settled(conn, manager_id, into):
            raise StatementSettledError(f"The statement of {into:%Y-%m} is settled.")
        entry = Entry(
            workspace_id=INSTALLATION,
            manager_id=manager_id,
            type="adjustment",
            subject=_SUBJECT,
            amount=amount,
            currency=currency,
            reason=reason,
            made_by=actor.id,
            at=now,
        )
        made = await book(conn, entry, month=into)
        if made is None:
            raise RuntimeError("an adjustment is about no job, so there cannot be another")
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="earnings.adjust",
            subject=("manager", manager_id),
            actor=actor,
            reason=reason,
            details={"amount": money(amount, currency), "month": f"{into:%Y-%m}"},
        )
    return made


def _problems(amount: int, currency: str, month: date) -> Iterator[Problem]:
    if amount == 0 or abs(amount) > MOST:
        yield Problem("amount", f"must be 1 to {MOST} minor units, or as many below zero", amount)
    if not _CURRENCY.fullmatch(currency):
        yield Problem("currency", "must be three capital letters, such as USD", currency)
    if month.day != 1 or month > month_of(real_now()):
        yield Problem("month", "must be a month that has begun", month.isoformat())


async def reverse_earning(
    *, conn: Connection, actor: Actor, manager_id: UUID, entry_id: UUID, reason: str
) -> None:
    """Take back what a manager earned by one job; if its month is settled, in the present one.

    Raises:
        EarningNotFoundError: there is no such entry of a job, or it was taken back before.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    async with conn.transaction():
        row = await conn.fetchrow(JOB_ENTRY, manager_id, entry_id)
        if row is None or not await reverse_all(conn, [row], reason=reason, made_by=actor.id):
            raise EarningNotFoundError(
                f"Manager {manager_id} has no entry {entry_id} of a job that was not taken back."
            )
        await write_audit(
            conn,
            workspace_id=row["workspace_id"],
            action="earnings.reverse",
            subject=("manager", manager_id),
            actor=actor,
            reason=reason,
            details={"amount": money(row["amount"], row["currency"]), "job": row["kind"]},
        )
