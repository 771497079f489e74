"""Charges of an order that is there already: slots that are added, and the order once more."""

from __future__ import annotations

from collections.abc import Mapping

from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

# Under the bundle's lock, so that no two charges get one number.
NEXT_NUMBER = """
SELECT COALESCE(max(number), 0) + 1 FROM bundle_charges WHERE workspace_id = $1 AND bundle_id = $2
"""
RECORD = """
INSERT INTO bundle_charges (workspace_id, bundle_id, number, entry_id, amount, breakdown, edits)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def charge_bundle(
    tx: UnitOfWork,
    bundle: Row,
    *,
    breakdown: Mapping[str, int],
    edits: int,
    description: str,
    actor: Actor,
) -> CreditsMoved:
    """Debit ``breakdown["total"]`` credits for a locked bundle, of which ``edits`` edit slots.

    The business key is ``bundle:<id>:charge:<n>`` (contract section 6). The wallet is locked by
    this: whatever else of the order has to be locked comes before.

    Raises:
        InsufficientCreditsError: nothing was written; the transaction must not commit.
    """
    bundle_id = bundle["id"]
    number = await tx.conn.fetchval(NEXT_NUMBER, tx.workspace_id, bundle_id)
    moved, entry_id = await ledger.debit(
        tx,
        amount=breakdown["total"],
        description=description,
        breakdown=breakdown,
        reference=Reference("bundle", bundle_id, f"bundle:{bundle_id}:charge:{number}"),
        actor=actor,
    )
    if entry_id is not None:
        await tx.conn.execute(
            RECORD,
            tx.workspace_id,
            bundle_id,
            number,
            entry_id,
            breakdown["total"],
            dict(breakdown),
            edits,
        )
    return moved
