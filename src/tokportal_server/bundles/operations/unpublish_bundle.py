"""``unpublishBundle``: take an order back from the managers, to change it."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.bundles.errors import BundleAcceptedError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle, about_profile, about_slot
from tokportal_server.orders.door import move
from tokportal_server.orders.locks import Row, find_profile, lock_bundle, lock_slots
from tokportal_server.orders.states import BUNDLE, OPEN_STATUSES, PROFILE, SLOT


class BundleNotPublishedError(ApiError):
    """The bundle is not published, so it cannot be taken back."""

    code = "BUNDLE_NOT_PUBLISHED"
    status = 409
    remedy = "You: nothing is left to do; `GET /bundles/{id}` shows the status."


async def unpublish_bundle(*, tx: UnitOfWork, actor: Actor, bundle_id: UUID) -> None:
    """Bring a published bundle back to its set-up; nothing is refunded.

    Its profile and its published slots are configured again, with all that they hold.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
        BundleAcceptedError: a manager has it, or something of it has ever been in review.
        BundleNotPublishedError: it is not published.
    """
    bundle = await lock_bundle(tx, bundle_id)
    _refuse(bundle)
    profile = await find_profile(tx, bundle)
    for slot in await lock_slots(tx, bundle):
        if slot["status"] == "published":
            data = about_slot(bundle, slot)
            await move(
                tx,
                SLOT,
                slot,
                "configured",
                actor=actor,
                data=data,
                published_at=None,
                overdue_at=None,
                updated_at=tx.now,
            )
    if profile is not None:
        data = about_profile(bundle, profile)
        await move(tx, PROFILE, profile, "configured", actor=actor, data=data)
    await move(
        tx,
        BUNDLE,
        bundle,
        "pending_setup",
        actor=actor,
        data=about_bundle(bundle),
        published_at=None,
        priority_at=None,
        updated_at=tx.now,
    )


def _refuse(bundle: Row) -> None:
    status, details = bundle["status"], {"current_status": bundle["status"]}
    is_open = status in OPEN_STATUSES
    if status in ("accepted", "completed") or (is_open and bundle["reviewed_once"]):
        raise BundleAcceptedError(
            f"Bundle {bundle['id']} is {status}: a manager works on it or has handed something of"
            " it in, so it cannot be unpublished. The operator can cancel it.",
            details=details,
        )
    if not is_open:
        raise BundleNotPublishedError(
            f"Bundle {bundle['id']} is {status}; only a published bundle can be unpublished.",
            details=details,
        )
