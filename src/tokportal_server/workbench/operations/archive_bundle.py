"""An operator puts an order away that is over."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle
from tokportal_server.orders.door import move
from tokportal_server.orders.errors import bundle_status_refused
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.orders.states import BUNDLE
from tokportal_server.workbench.claim_guard import check_reason
from tokportal_server.workspaces.audit import write_audit


async def archive_bundle(*, tx: UnitOfWork, actor: Actor, bundle_id: UUID, reason: str) -> None:
    """Archive a completed or cancelled bundle.

    Raises:
        BundleNotFoundError: there is no such bundle.
        BundleStatusError: it is not over, or archived already.
        ValidationError: no reason is given.
    """
    check_reason(reason)
    bundle = await lock_bundle(tx, bundle_id)
    if not BUNDLE.allows(bundle["status"], "archived"):
        raise bundle_status_refused(bundle, " or ".join(BUNDLE.allowed_from("archived")))
    await move(
        tx,
        BUNDLE,
        bundle,
        "archived",
        actor=actor,
        reason=reason,
        data=about_bundle(bundle),
        updated_at=tx.now,
    )
    await write_audit(
        tx.conn,
        workspace_id=tx.workspace_id,
        action="bundle.archive",
        subject=("bundle", bundle_id),
        actor=actor,
        reason=reason,
    )
