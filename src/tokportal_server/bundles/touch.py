"""A change of the profile is a change of the bundle object, which shows its status and name."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.unit_of_work import UnitOfWork

TOUCH = "UPDATE bundles SET updated_at = $3 WHERE workspace_id = $1 AND id = $2"


async def touch_bundle(tx: UnitOfWork, bundle_id: UUID) -> None:
    """Set ``updated_at`` of a locked bundle."""
    await tx.conn.execute(TOUCH, tx.workspace_id, bundle_id, tx.now)
