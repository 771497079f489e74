"""What time does to credits: lots end, their owner is warned a week before, marks are crossed.

Whoever writes to a wallet books its due expiries on the way; a wallet that nobody writes to is
settled by the deadlines' sweeper, so that entries and events wait for nobody.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.db import Connection
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.workspaces.audit import write_audit

WARN = "SELECT * FROM ledger_warn($1, $2, $3) ORDER BY expires_at, ordinal"
LOW_MARK = "SELECT low_below FROM wallets WHERE workspace_id = $1"
SET_LOW_MARK = """
INSERT INTO wallets AS w (workspace_id, low_below) VALUES ($1, $2)
ON CONFLICT (workspace_id) DO UPDATE SET low_below = excluded.low_below
"""
WARN_AHEAD: Final = timedelta(days=7)
HIGHEST_MARK: Final = 1_000_000


async def settle_lots(tx: UnitOfWork) -> bool:
    """Book what has expired and warn of what will within a week; say whether there was anything.

    ``credits.expiring`` comes once for each lot and end: a lot that a refund gave another 30 days
    is warned of again.
    """
    expired = await ledger.expire(tx)
    ending = await tx.conn.fetch(WARN, tx.workspace_id, tx.now, WARN_AHEAD)
    for lot in ending:
        tx.emit(
            "credits.expiring",
            {
                "lot_id": lot["id"],
                "amount": lot["remaining"],
                "expires_at": wire_time(lot["expires_at"]),
            },
        )
    return bool(expired or ending)


async def low_mark_of(conn: Connection, workspace_id: UUID) -> int:
    """Give the credits below which a workspace wants to be told; 0 if it does not."""
    return int(await conn.fetchval(LOW_MARK, workspace_id) or 0)


async def set_low_mark(*, tx: UnitOfWork, credits_below: int, actor: Actor = SYSTEM) -> None:
    """Have the workspace told when its credits fall below a mark, and when they are back; 0: never.

    If they are below it already, it is told at once.

    Raises:
        ValidationError: the mark is negative, or beyond what anybody holds.
    """
    if not 0 <= credits_below <= HIGHEST_MARK:
        refuse([Problem("credits_below", f"must be 0 to {HIGHEST_MARK} credits", credits_below)])
    await tx.conn.execute(SET_LOW_MARK, tx.workspace_id, credits_below)
    await ledger.expire(tx)
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="credits.low_mark",
        subject=("workspace", tx.workspace_id),
        actor=actor,
        details={"credits_below": credits_below},
    )
