"""A manager agrees to the statement of a month, or disputes it; an operator settles it."""

from __future__ import annotations

from datetime import date
from typing import Final
from uuid import UUID

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.earnings.booking import lock_books
from tokportal_server.workbench.earnings.errors import (
    StatementChangedError,
    StatementNotOverError,
    StatementSettledError,
)
from tokportal_server.workbench.earnings.money import money
from tokportal_server.workbench.earnings.statements import Statement, get_statement
from tokportal_server.workspaces.audit import INSTALLATION, write_audit

ANSWER = """
INSERT INTO earning_statements (manager_id, month, status, note, answered_at)
VALUES ($1, $2, $3, $4, now())
    ON CONFLICT (manager_id, month) DO UPDATE
   SET status = excluded.status, note = COALESCE(excluded.note, earning_statements.note),
       answered_at = excluded.answered_at
"""
SETTLE = """
INSERT INTO earning_statements (manager_id, month, status, answer, settled_at, settled_by)
VALUES ($1, $2, 'settled', $3, now(), $4)
    ON CONFLICT (manager_id, month) DO UPDATE
   SET status = 'settled', answer = excluded.answer, settled_at = excluded.settled_at,
       settled_by = excluded.settled_by
"""

_LONGEST_NOTE: Final = 500


async def agree_to_statement(*, conn: Connection, actor: Actor, month: date, entries: int) -> None:
    """Agree to the month of the acting manager as it was shown, with so many entries.

    Raises:
        StatementNotFoundError, StatementNotOverError, StatementSettledError: there is nothing to
            agree to now.
        StatementChangedError: it has other entries by now.
    """
    async with conn.transaction():
        statement = await _answerable(conn, actor.id, month, entries)
        await conn.execute(ANSWER, statement.manager_id, month, "agreed", None)


async def dispute_statement(
    *, conn: Connection, actor: Actor, month: date, entries: int, note: str
) -> None:
    """Say what is wrong with the month of the acting manager.

    Raises:
        StatementNotFoundError, StatementNotOverError, StatementSettledError, StatementChangedError:
            as :func:`agree_to_statement`.
        ValidationError: nothing is said, or more than 500 characters.
    """
    if not note.strip() or len(note) > _LONGEST_NOTE:
        problem = f"must say in 1 to {_LONGEST_NOTE} characters what is wrong"
        refuse([Problem("note", problem, note)])
    async with conn.transaction():
        statement = await _answerable(conn, actor.id, month, entries)
        await conn.execute(ANSWER, statement.manager_id, month, "disputed", note)


async def settle_statement(
    *,
    conn: Connection,
    actor: Actor,
    manager_id: UUID,
    month: date,
    entries: int | None = None,
    reason: str,
) -> Statement:
    """Close a month that has been paid; ``reason`` is what the manager reads, such as by what.

    With ``entries`` only as it was shown. Gives the statement as it was settled.

    Raises:
        StatementNotFoundError, StatementNotOverError, StatementSettledError, StatementChangedError:
            as :func:`agree_to_statement`.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    async with conn.transaction():
        statement = await _answerable(conn, manager_id, month, entries)
        await conn.execute(SETTLE, manager_id, month, reason, actor.id)
        await write_audit(
            conn,
            workspace_id=INSTALLATION,
            action="earnings.settle",
            subject=("manager", manager_id),
            actor=actor,
            reason=reason,
            details={
                "month": f"{month:%Y-%m}",
                "was": statement.status,
                "totals": [money(n, currency) for currency, n in statement.totals.items()],
            },
        )
        return await get_statement(conn, manager_id, month)


async def _answerable(
    conn: Connection, manager_id: UUID | None, month: date, entries: int | None
) -> Statement:
    """Lock the books of a manager, and give a statement that can be answered as it was shown."""
    if manager_id is None:
        raise RuntimeError("nobody has a statement")
    await lock_books(conn, manager_id)
    statement = await get_statement(conn, manager_id, month)
    if statement.status == "settled":
        raise StatementSettledError(f"The statement of {month:%Y-%m} is settled.")
    if not statement.is_over:
        raise StatementNotOverError(f"{month:%Y-%m} still runs; answer when it has ended.")
    if entries is not None and entries != statement.entries:
        raise StatementChangedError(
            f"The statement of {month:%Y-%m} has {statement.entries} entries by now, and had"
            f" {entries} on your page. Look at it again."
        )
    return statement
