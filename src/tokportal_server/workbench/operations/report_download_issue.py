"""A manager cannot use the media of a slot."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import wire_time
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.errors import slot_transition_refused
from tokportal_server.orders.locks import lock_slot
from tokportal_server.workbench.claim_guard import check_reason, lock_claimed_bundle

REPORT = """
UPDATE slots SET download_issue = $3, updated_at = $4 WHERE workspace_id = $1 AND id = $2
"""
_WORKED_ON = ("accepted", "pending_corrections")


async def report_download_issue(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, position: int, reason: str
) -> None:
    """Flag a slot's media as unusable; the customer mends it with fixBundleVideoDownload.

    Raises:
        BundleNotFoundError, ClaimNotYoursError, VideoNotFoundError: not this manager's slot.
        SlotTransitionError: nobody works on the slot now.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    bundle = await lock_claimed_bundle(tx, actor, bundle_id)
    slot = await lock_slot(tx, bundle, position)
    if slot["status"] not in _WORKED_ON:
        raise slot_transition_refused(slot, "in_review")
    issue = {"reported_at": wire_time(tx.now), "reason": reason}
    await tx.conn.execute(REPORT, tx.workspace_id, slot["id"], issue, tx.now)
    tx.emit(
        "video.download_issue",
        about_slot(
            bundle,
            slot,
            status=slot["status"],
            previous_status=slot["status"],
            reason=reason,
        ),
    )
