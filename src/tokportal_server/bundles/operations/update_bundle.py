"""``updateBundle``: the settings of a bundle that do not touch its work."""

from __future__ import annotations

from uuid import UUID

from msgspec import UNSET

from tokportal_server.bundles.references import lock_references, taken_references
from tokportal_server.bundles.wire import PatchBundleRequest
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import bundle_not_found
from tokportal_server.orders.locks import LOCK_BUNDLE, Row

EXISTS = "SELECT 1 FROM bundles WHERE id = $1 LIMIT 1"
UPDATE = """
UPDATE bundles SET title = $3, external_ref = $4, auto_finalize_videos = $5, updated_at = $6
 WHERE workspace_id = $1 AND id = $2
"""


class BundleNotOwnedError(ApiError):
    """The bundle belongs to another workspace; only this operation says so (contract section 1)."""

    code = "BUNDLE_NOT_OWNED"
    status = 403
    remedy = "You: take the id from `GET /bundles`, or the key of the workspace that ordered it."


class DuplicateExternalRefError(ApiError):
    """Another live account bundle has this external_ref; ``details.existing_bundle_id``."""

    code = "DUPLICATE_EXTERNAL_REF"
    status = 409
    remedy = "You: send another `external_ref`, or take it off the bundle in the details first."


async def update_bundle(*, tx: UnitOfWork, bundle_id: UUID, request: PatchBundleRequest) -> None:
    """Change what the request names; None and "" clear a title or a reference.

    ``auto_finalize_videos`` counts for slots that are submitted from now on.

    Raises:
        BundleNotFoundError: there is no such bundle anywhere.
        BundleNotOwnedError: another workspace has it.
        DuplicateExternalRefError: its new external_ref is taken.
    """
    # References are held before rows are locked, whoever turns out to own the bundle.
    reference = None if request.external_ref is UNSET else request.external_ref or None
    if reference:
        await lock_references(tx, [reference])
    bundle = await _lock_own(tx, bundle_id)
    if reference and _counts(bundle):
        await _refuse_duplicate(tx, bundle, reference)
    await tx.conn.execute(
        UPDATE,
        tx.workspace_id,
        bundle_id,
        bundle["title"] if request.title is UNSET else request.title or None,
        bundle["external_ref"] if request.external_ref is UNSET else reference,
        bundle["auto_finalize_videos"]
        if request.auto_finalize_videos is UNSET
        else request.auto_finalize_videos,
        tx.now,
    )


async def _lock_own(tx: UnitOfWork, bundle_id: UUID) -> Row:
    row = await tx.conn.fetchrow(LOCK_BUNDLE, tx.workspace_id, bundle_id)
    if row is not None:
        return row
    if await tx.conn.fetchval(EXISTS, bundle_id):
        raise BundleNotOwnedError(
            f"Bundle {bundle_id} belongs to another workspace than your key. Nothing was changed."
        )
    raise bundle_not_found(bundle_id)


def _counts(bundle: Row) -> bool:
    """Say whether the bundle's reference has to be unique."""
    return bundle["bundle_type"] != "videos_only" and bundle["cancelled_at"] is None


async def _refuse_duplicate(tx: UnitOfWork, bundle: Row, reference: str) -> None:
    others = [row["id"] for row in await taken_references(tx, [reference])]
    others = [other for other in others if other != bundle["id"]]
    if others:
        raise DuplicateExternalRefError(
            f"external_ref: bundle {others[0]} already has {reference!r}. Send another one, or take"
            " it off that bundle first.",
            details={"existing_bundle_id": str(others[0]), "field": "external_ref"},
        )
