"""``external_ref``: unique among the live bundles of a workspace that set an account up."""

from __future__ import annotations

from collections.abc import Sequence

from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row

# Two orders with the same reference queue up here, so that the second one finds the first. Comes
# before every lock of a row; many are taken in the order of their text.
LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || ':' || r.ref, 0))
  FROM unnest($2::text[]) AS r (ref)
"""
TAKEN = """
SELECT id, external_ref FROM bundles
 WHERE workspace_id = $1 AND external_ref = ANY ($2::text[]) AND bundle_type <> 'videos_only'
   AND cancelled_at IS NULL
 ORDER BY ordinal
"""


async def lock_references(tx: UnitOfWork, references: Sequence[str]) -> None:
    """Hold references until the transaction ends."""
    await tx.conn.execute(LOCK, tx.workspace_id, sorted(references))


async def taken_references(tx: UnitOfWork, references: Sequence[str]) -> list[Row]:
    """Give id and external_ref of the bundles that have one of these references already."""
    return list(await tx.conn.fetch(TAKEN, tx.workspace_id, references))
