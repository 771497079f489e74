"""Reads about uploads that more than one module wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from tokportal_server.lib.db import Connection
from tokportal_server.orders.errors import bundle_not_found
from tokportal_server.uploads.media import public_url

BUNDLE_EXISTS = "SELECT 1 FROM bundles WHERE workspace_id = $1 AND id = $2"
THUMBNAILS_OF = """
SELECT m.owner_id, t.storage_key FROM media m
  JOIN thumbnails t ON t.workspace_id = m.workspace_id AND t.upload_id = m.upload_id
 WHERE m.workspace_id = $1 AND m.owner_id = ANY($2::uuid[])
 ORDER BY m.owner_id, m.kind, m.ordinal
"""


async def require_bundle(conn: Connection, workspace_id: UUID, bundle_id: UUID) -> None:
    """Raise BundleNotFoundError unless the workspace has the bundle that a file is for."""
    if not await conn.fetchval(BUNDLE_EXISTS, workspace_id, bundle_id):
        raise bundle_not_found(bundle_id)


async def thumbnails_of(
    conn: Connection, workspace_id: UUID, owner_ids: Sequence[UUID], *, base_url: str
) -> dict[UUID, list[str]]:
    """Give the addresses of small pictures of what slots or profiles show, by owner and in order.

    An image or a video's first frame as a JPEG of at most 480 pixels a side, made by a job a moment
    after the upload: what has none yet is left out. The contract's media objects have no place for
    them; they are for lists in pages.
    """
    found: dict[UUID, list[str]] = defaultdict(list)
    for row in await conn.fetch(THUMBNAILS_OF, workspace_id, owner_ids):
        found[row["owner_id"]].append(public_url(base_url, row["storage_key"]))
    return dict(found)
