"""``uploadVideo`` and ``uploadImage``: promise a storage key to a file that is still to come."""

from __future__ import annotations

from uuid import UUID

from tokportal_server.lib.storage import make_key
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.uploads.queries import require_bundle
from tokportal_server.uploads.wire import Purpose

INSERT_PRESIGNED = """
INSERT INTO presigned_uploads (workspace_id, storage_key, bundle_id, purpose, filename)
VALUES ($1, $2, $3, $4, $5)
"""


async def presign_upload(
    *, tx: UnitOfWork, bundle_id: UUID, purpose: Purpose, filename: str
) -> str:
    """Give the storage key that the file will have. It is forgotten if unused for a day.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
    """
    await require_bundle(tx.conn, tx.workspace_id, bundle_id)
    storage_key = make_key(tx.workspace_id.hex)
    await tx.conn.execute(
        INSERT_PRESIGNED, tx.workspace_id, storage_key, bundle_id, purpose, filename
    )
    return storage_key
