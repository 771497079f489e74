"""An operator gives back a part of one debit, without anything being cancelled."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row, lock_bundle
from tokportal_server.orders.refunds import give_back, plan_entry_refund
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workbench.earnings.finished import EARNINGS_JOB
from tokportal_server.workbench.errors import DebitNotFoundError
from tokportal_server.workspaces.audit import write_audit

DEBIT = """
SELECT d.id, d.reference_kind, d.reference_id, -d.amount - COALESCE((
           SELECT sum(r.amount) FROM credit_entries r
            WHERE r.workspace_id = d.workspace_id AND r.refunds_entry_id = d.id
       ), 0)::integer AS open
  FROM credit_entries d WHERE d.workspace_id = $1 AND d.id = $2 AND d.type = 'debit'
"""
# What the debit paid for: bundles, or an option of a bundle's slot.
BUNDLES = """
SELECT bundle_id FROM bundle_charges WHERE workspace_id = $1 AND entry_id = $2
UNION
SELECT s.bundle_id FROM slot_options o
  JOIN slots s ON s.workspace_id = o.workspace_id AND s.id = o.slot_id
 WHERE o.workspace_id = $1 AND o.entry_id = $2
 ORDER BY bundle_id
"""


async def refund_debit(
    *,
    tx: UnitOfWork,
    actor: Actor,
    entry_id: UUID,
    amount: int,
    reason: str,
    bundle_id: UUID | None = None,
) -> int:
    """Give ``amount`` credits of a debit back to the lots that paid; give the new balance.

    ``bundle_id`` says which one's part it is when the debit paid for several. What goes back so is
    not given back again when the bundle is cancelled.

    Raises:
        DebitNotFoundError: there is no such debit.
        ValidationError: no reason is given; the debit has less to give back; or it paid for several
            bundles and none of them is named.
    """
    check_reason(reason)
    debit = await tx.conn.fetchrow(DEBIT, tx.workspace_id, entry_id)
    if debit is None:
        raise DebitNotFoundError(
            f"This workspace has no debit {entry_id}. Its credit history lists those there are."
        )
    found = [row["bundle_id"] for row in await tx.conn.fetch(BUNDLES, tx.workspace_id, entry_id)]
    if found:
        one = _chosen(found, bundle_id)
        balance = await _of_bundle(tx, one, debit, amount, reason, actor)
    else:
        balance = await _of_anything_else(tx, debit, amount, reason, actor)
    await enqueue(
        tx.conn,
        EARNINGS_JOB,
        {
            "workspace_id": tx.workspace_id,
            "type": "debit.refunded",
            "data": {"entry_id": entry_id},
        },
    )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="credits.refund",
        subject=("debit", entry_id),
        actor=actor,
        reason=reason,
        details={"amount": amount},
    )
    return balance


def _chosen(found: list[UUID], bundle_id: UUID | None) -> UUID:
    if bundle_id is None and len(found) > 1:
        refuse([Problem("bundle_id", f"the debit paid for {len(found)} bundles; name one of them")])
    if bundle_id is not None and bundle_id not in found:
        refuse([Problem("bundle_id", "the debit did not pay for this bundle", str(bundle_id))])
    return bundle_id or found[0]


async def _of_bundle(
    tx: UnitOfWork, bundle_id: UUID, debit: Row, amount: int, reason: str, actor: Actor
) -> int:
    bundle = await lock_bundle(tx, bundle_id)
    plan = await plan_entry_refund(tx, bundle, debit["id"], amount=amount)
    return await give_back(
        tx, bundle, plan, actor=actor, cause=f"refund:{tx.new_id()}", description=reason
    )


async def _of_anything_else(
    tx: UnitOfWork, debit: Row, amount: int, reason: str, actor: Actor
) -> int:
    if not 1 <= amount <= debit["open"]:
        problem = f"must be 1 to {debit['open']}: paid and not refunded"
        refuse([Problem("amount", problem, amount)])
    return await ledger.refund(
        tx,
        debit_id=debit["id"],
        amount=amount,
        description=reason,
        breakdown={"total": amount},
        reference=Reference(
            debit["reference_kind"], debit["reference_id"], f"refund:{tx.new_id()}"
        ),
        actor=actor,
    )
