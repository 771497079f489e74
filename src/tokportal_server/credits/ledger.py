"""Moving credits: thin calls of the ledger's SQL functions (contract section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Record

from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork

DEBIT = "SELECT * FROM ledger_debit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
GRANT = "SELECT * FROM ledger_grant($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
REFUND = "SELECT * FROM ledger_refund($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
EXPIRE = "SELECT * FROM ledger_expire($1, $2)"
SPENDABLE = """
SELECT COALESCE(sum(remaining), 0)::integer FROM credit_lots
 WHERE workspace_id = $1 AND remaining > 0 AND (expires_at IS NULL OR expires_at > $2)
"""


class InsufficientCreditsError(ApiError):
    """The workspace has too few spendable credits; nothing was written."""

    code = "INSUFFICIENT_CREDITS"
    status = 402
    remedy = "The operator: grant the credits in `details.missing`. Then send the same request."


@dataclass(frozen=True, slots=True)
class Reference:
    """What an entry is about, and the key under which its effect can happen only once."""

    kind: str
    id: UUID | None
    business_key: str


async def debit(
    tx: UnitOfWork,
    *,
    amount: int,
    description: str,
    breakdown: Mapping[str, int],
    reference: Reference,
    actor: Actor,
    entry_type: Literal["debit", "adjustment"] = "debit",
) -> tuple[CreditsMoved, UUID | None]:
    """Take ``amount`` credits, earliest-expiring lot first; give the siblings and the entry's id.

    Nothing to pay writes no entry: then the id is None.

    Raises:
        InsufficientCreditsError: with ``details {required, available, missing, breakdown}``.
    """
    if amount == 0:
        return CreditsMoved(0, await spendable(tx.conn, tx.workspace_id, tx.now), breakdown), None
    row = existing(
        await tx.conn.fetchrow(
            DEBIT,
            tx.workspace_id,
            tx.now,
            entry_type,
            amount,
            description,
            dict(breakdown),
            reference.kind,
            reference.id,
            reference.business_key,
            actor.kind,
            actor.id,
        )
    )
    if not row["ok"]:
        available = row["balance"]
        raise InsufficientCreditsError(
            f"This costs {amount} credits and the workspace has {available}: {amount - available}"
            " are missing. Buy credits, or order less; nothing was charged.",
            details={
                "required": amount,
                "available": available,
                "missing": amount - available,
                "breakdown": dict(breakdown),
            },
        )
    _tell_level(tx, row)
    return CreditsMoved(amount, row["balance"], breakdown), row["entry_id"]


async def adjust(
    tx: UnitOfWork, *, amount: int, description: str, business_key: str, actor: Actor
) -> int:
    """Correct the balance by ``amount``; give the new one.

    Up is a lot that never expires; down burns lots as a debit does, and is never refunded.

    Raises:
        ValueError: ``amount`` is 0.
        InsufficientCreditsError: there is less to take away.
    """
    if amount == 0:
        raise ValueError("an adjustment of 0 credits")
    if amount > 0:
        return await grant(
            tx,
            amount=amount,
            source="adjustment",
            expires_at=None,
            description=description,
            business_key=business_key,
            actor=actor,
            entry_type="adjustment",
        )
    moved, _ = await debit(
        tx,
        amount=-amount,
        description=description,
        breakdown={"total": -amount},
        reference=Reference("adjustment", None, business_key),
        actor=actor,
        entry_type="adjustment",
    )
    return moved.remaining


async def grant(
    tx: UnitOfWork,
    *,
    amount: int,
    source: str,
    expires_at: datetime | None,
    description: str,
    business_key: str,
    actor: Actor,
    entry_type: Literal["credit", "adjustment"] = "credit",
) -> int:
    """Add a lot of ``amount`` credits; give the new balance."""
    row = existing(
        await tx.conn.fetchrow(
            GRANT,
            tx.workspace_id,
            tx.now,
            entry_type,
            amount,
            source,
            expires_at,
            description,
            business_key,
            actor.kind,
            actor.id,
        )
    )
    _tell_level(tx, row)
    return int(row["balance"])


async def refund(
    tx: UnitOfWork,
    *,
    debit_id: UUID,
    amount: int,
    description: str,
    breakdown: Mapping[str, int],
    reference: Reference,
    actor: Actor,
) -> int:
    """Give ``amount`` credits of a debit back to the lots that paid; give the new balance.

    Raises:
        ValueError: that is no debit, or it has less that no refund has returned yet.
    """
    row = existing(
        await tx.conn.fetchrow(
            REFUND,
            tx.workspace_id,
            tx.now,
            debit_id,
            amount,
            description,
            dict(breakdown),
            reference.kind,
            reference.id,
            reference.business_key,
            actor.kind,
            actor.id,
        )
    )
    if not row["ok"]:
        raise ValueError(f"debit {debit_id} has less than {amount} credits left to refund")
    _tell_level(tx, row)
    return int(row["balance"])


async def expire(tx: UnitOfWork) -> int:
    """Book the expiry of every lot that is due, locking the wallet; give how many there were."""
    row = existing(await tx.conn.fetchrow(EXPIRE, tx.workspace_id, tx.now))
    _tell_level(tx, row)
    return int(row["expired"])


def _tell_level(tx: UnitOfWork, row: Record) -> None:
    """Emit ``credits.low`` or ``credits.restored`` if a write crossed the workspace's mark.

    The mark is the wallet's ``low_below``; the write itself notes on which side the credits are.
    """
    if row["crossed"] is not None:
        data = {"credits": row["balance"], "threshold": row["low_mark"]}
        tx.emit(f"credits.{row['crossed']}", data)


async def spendable(conn: Connection, workspace_id: UUID, now: datetime) -> int:
    """Give what the workspace can spend at ``now``, whether or not due expiries are booked."""
    return int(await conn.fetchval(SPENDABLE, workspace_id, now) or 0)
