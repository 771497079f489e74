"""Rounds of corrections: what the customer wants to have changed, of a profile or of a slot."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tokportal_server.lib.unit_of_work import UnitOfWork

ASK = """
INSERT INTO corrections (workspace_id, id, bundle_id, slot_id, round, comment, fields, requested_at)
SELECT $1, $2, $3, $4, 1 + count(*), $5, $6, $7 FROM corrections
 WHERE workspace_id = $1 AND bundle_id = $3 AND slot_id IS NOT DISTINCT FROM $4::uuid
"""


async def begin_round(
    tx: UnitOfWork,
    bundle_id: UUID,
    *,
    slot_id: UUID | None,
    comment: str,
    fields: msgspec.Struct | None,
) -> None:
    """Note another round for a slot, or for the profile if ``slot_id`` is None.

    ``fields`` holds feedback by field; what is empty of it is left out.
    """
    feedback = msgspec.structs.asdict(fields) if fields else {}
    await tx.conn.execute(
        ASK,
        tx.workspace_id,
        tx.new_id(),
        bundle_id,
        slot_id,
        comment,
        {field: text for field, text in feedback.items() if text},
        tx.now,
    )
