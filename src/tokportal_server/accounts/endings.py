"""All work on an account ends: a reveal that ends its management, or a ban.

1. Every live bundle is cancelled by the refund rule.
2. The active edit request is rejected, and its price given back.
3. Stored answers that hold the account's secrets are deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tokportal_server.accounts.edit_requests import lock_active_request, reject_locked_request
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.cancellation import cancel_locked_bundle
from tokportal_server.orders.locks import Row

SET_STATUS = """
UPDATE saved_accounts SET status = $3, stopped_reason = $4 WHERE workspace_id = $1 AND id = $2
"""
# A row that somebody holds is being written anew for another request, so it is not waited for.
FORGET_ANSWERS = """
DELETE FROM idempotency_keys WHERE (workspace_id, key) IN (
    SELECT workspace_id, key FROM idempotency_keys
     WHERE workspace_id = $1 AND subject_id = $2 FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What was given up with an account: bundles by id, and whole credits that went back."""

    bundles: tuple[UUID, ...]
    credits_refunded: int


async def end_work(
    tx: UnitOfWork,
    account: Row,
    bundles: Sequence[Row],
    status: Literal["banned", "detached"],
    *,
    actor: Actor,
    reason: str,
    stopped_reason: str | None = None,
) -> Ended:
    """End all work on an account that is locked with its live bundles, for good.

    ``reason`` goes with everything that ends, ``stopped_reason`` is told about the account.
    """
    noted = stopped_reason or account["stopped_reason"]
    await tx.conn.execute(SET_STATUS, tx.workspace_id, account["id"], status, noted)
    refunded = 0
    # The orders' rows come before the wallet, which the first refund locks.
    request = await lock_active_request(tx, account)
    for bundle in bundles:
        done = await cancel_locked_bundle(tx, bundle, actor=actor, reason=reason)
        refunded += done.refund.amount
    if request is not None:
        refunded += await reject_locked_request(tx, account, request, actor=actor, reason=reason)
    await forget_answers(tx, account["id"])
    return Ended(tuple(bundle["id"] for bundle in bundles), refunded)


async def forget_answers(tx: UnitOfWork, account_id: UUID) -> None:
    """Delete the stored answers that hold secrets of an account (contract section 3)."""
    await tx.conn.execute(FORGET_ANSWERS, tx.workspace_id, account_id)
