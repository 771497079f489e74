"""What was charged for an order, and what of it has been given back (contract section 6).

A bundle's debits are its rows of ``bundle_charges``; a bulk order's one debit stands in those of
all its bundles, with each one's part. The paid options of slots have a ledger entry each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

LOCK_CHARGES = """
SELECT number, entry_id, breakdown, edits FROM bundle_charges
 WHERE workspace_id = $1 AND bundle_id = $2 AND reversed_at IS NULL
 ORDER BY number FOR UPDATE
"""
GIVEN_BACK = """
SELECT c.number, r.breakdown FROM bundle_charges c
  JOIN credit_entries r ON r.workspace_id = c.workspace_id AND r.refunds_entry_id = c.entry_id
 WHERE c.workspace_id = $1 AND c.bundle_id = $2
   AND r.reference_kind = 'bundle' AND r.reference_id = c.bundle_id
"""
OPTIONS = """
SELECT o.entry_id, o.name, o.price, o.slot_id, COALESCE((
           SELECT sum(r.amount) FROM credit_entries r
            WHERE r.workspace_id = o.workspace_id AND r.refunds_entry_id = o.entry_id
       ), 0)::integer AS given_back
  FROM slots s
  JOIN slot_options o ON o.workspace_id = s.workspace_id AND o.slot_id = s.id
 WHERE s.workspace_id = $1 AND s.bundle_id = $2 AND o.entry_id IS NOT NULL
 ORDER BY s.position, o.name
"""
GIVE_BACK = """
UPDATE bundle_charges SET refunded = refunded + $4
 WHERE workspace_id = $1 AND bundle_id = $2 AND number = $3
"""


@dataclass(frozen=True, slots=True)
class Charge:
    """One debit of an order: what was paid for each part, and what of that is not given back.

    ``number`` counts the bundle's own charges and is None for an option of the slot ``slot_id``.
    ``edits`` is how many edit slots it bought. Whole credits.
    """

    entry_id: UUID
    paid: Mapping[str, int]
    open: Mapping[str, int]
    number: int | None = None
    edits: int = 0
    slot_id: UUID | None = None


async def lock_charges(tx: UnitOfWork, bundle: Row) -> list[Charge]:
    """Lock and give what was charged for a locked bundle, oldest first, then for its options.

    Charges that were reversed do not count: what they paid for is paid by a later one, or not.
    """
    of_bundle = (tx.workspace_id, bundle["id"])
    rows = await tx.conn.fetch(LOCK_CHARGES, *of_bundle)
    paid = {row["number"]: _parts(row["breakdown"]) for row in rows}
    left = {number: dict(parts) for number, parts in paid.items()}
    for refund in await tx.conn.fetch(GIVEN_BACK, *of_bundle):
        for name, amount in _parts(refund["breakdown"]).items():
            if refund["number"] in left:
                left[refund["number"]][name] -= amount
    charges = [
        Charge(row["entry_id"], paid[number], left[number], number, row["edits"])
        for row in rows
        for number in [row["number"]]
    ]
    for row in await tx.conn.fetch(OPTIONS, *of_bundle):
        price, name = row["price"], row["name"]
        still = {name: price - row["given_back"]}
        charges.append(Charge(row["entry_id"], {name: price}, still, slot_id=row["slot_id"]))
    return charges


async def note_refund(tx: UnitOfWork, bundle: Row, charge: Charge, amount: int) -> None:
    """Count a refund of one of the bundle's own charges, which the table keeps below the charge."""
    if charge.number is not None:
        await tx.conn.execute(GIVE_BACK, tx.workspace_id, bundle["id"], charge.number, amount)


def _parts(breakdown: Mapping[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in breakdown.items() if name != "total"}
