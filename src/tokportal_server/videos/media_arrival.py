"""Fetched media have arrived, or will not: the slot that waits for them is told."""

from __future__ import annotations

import msgspec

from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.db import existing
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.media import media_state
from tokportal_server.videos.operations.publish_slot import publish_ready_slot
from tokportal_server.workspaces.notices import tell_customers

SET_MEDIA = """
UPDATE slots SET media_status = $3, media_error = $4, updated_at = $5
 WHERE workspace_id = $1 AND id = $2
RETURNING bundle_id, position
"""


async def on_media_settled(tx: UnitOfWork, media: Row, *, rules: OrderRules) -> None:
    """Bring the owning slot up to date, and publish it if it was only waiting for this.

    A profile needs nothing: its picture is read from the media row.
    """
    if media["owner_kind"] != "slot":
        return
    slot_id = media["owner_id"]
    state = await media_state(tx.conn, tx.workspace_id, slot_id)
    error = None if state.error is None else msgspec.to_builtins(state.error)
    slot = existing(
        await tx.conn.fetchrow(SET_MEDIA, tx.workspace_id, slot_id, state.status, error, tx.now)
    )
    if state.status == "failed":
        await tell_customers(
            tx.conn,
            tx.workspace_id,
            kind="media_failed",
            subject=str(media["id"]),
            text=f"The media of video {slot['position']} could not be fetched.",
            at=tx.now,
            about={"bundle_id": slot["bundle_id"], "position": slot["position"]},
        )
    if state.status == "ready":
        await publish_ready_slot(tx=tx, actor=SYSTEM, slot_id=slot_id, rules=rules)
