"""A slot becomes workable: its bundle is claimed, and its account is there to post on."""

from __future__ import annotations

from datetime import date

from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_new_date
from tokportal_server.orders.locks import Row, find_profile, lock_slots
from tokportal_server.videos.schedule import Calendar, today, window_end

MAKE_WORKABLE = """
UPDATE slots SET workable_at = $3, updated_at = $3 WHERE workspace_id = $1 AND id = $2
"""
RESCHEDULE = """
UPDATE slots SET target_start = $3, target_end = $4, date_adjusted = true, overdue_at = NULL,
       updated_at = $5
 WHERE workspace_id = $1 AND id = $2
RETURNING *
"""


async def reschedule(tx: UnitOfWork, bundle: Row, slot: Row, day: date) -> Row:
    """Move a slot's window to begin on ``day``, and say so; give the new row.

    A slot that was overdue in its old window is not in the new one.
    """
    moved = existing(
        await tx.conn.fetchrow(
            RESCHEDULE, tx.workspace_id, slot["id"], day, window_end(day), tx.now
        )
    )
    data = about_new_date(bundle, moved, previous=slot["target_start"], new=moved["target_start"])
    tx.emit("video.rescheduled", data)
    return moved


async def make_workable(tx: UnitOfWork, bundle: Row) -> None:
    """Start the windows of a locked bundle's accepted slots, if there is an account to post on.

    A slot that comes too late for its window gets the earliest free day, in order of date and
    position (contract section 7, Dates).
    """
    profile = await find_profile(tx, bundle)
    if bundle["status"] != "accepted" or (profile is not None and profile["status"] != "finalized"):
        return
    slots = await lock_slots(tx, bundle)
    calendar = Calendar(slots)
    waiting = [s for s in slots if s["status"] == "accepted" and s["workable_at"] is None]
    for slot in sorted(waiting, key=lambda s: (s["target_start"], s["position"])):
        if slot["target_end"] < today(tx.now):
            day = calendar.earliest_free(slot["id"], at_least=today(tx.now))
            calendar.place(slot["id"], day)
            await reschedule(tx, bundle, slot, day)
        await tx.conn.execute(MAKE_WORKABLE, tx.workspace_id, slot["id"], tx.now)
