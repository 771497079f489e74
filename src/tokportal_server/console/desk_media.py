"""The media of an order as one file, for whoever holds it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from tokportal_server.console import queue
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.zip_stream import Member, zip_chunks
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Page, Stream, Visit, nothing_here
from tokportal_server.pages.texts import text
from tokportal_server.uploads.ingest import suffix_of
from tokportal_server.workbench.errors import ClaimNotYoursError

# What a manager works on; $3 is a slot's position, or null: all of them, and the account's picture.
MEDIA = """
SELECT COALESCE(u.object_key, u.storage_key) AS object_key, u.content_type, u.size_bytes, m.kind,
       m.ordinal, s.position
  FROM media m
  JOIN uploads u ON u.workspace_id = m.workspace_id AND u.id = m.upload_id
  LEFT JOIN slots s ON s.workspace_id = m.workspace_id AND s.id = m.owner_id
 WHERE m.workspace_id = $1 AND m.bundle_id = $2 AND m.status = 'ready'
   AND CASE WHEN $3::integer IS NULL
            THEN m.owner_kind = 'profile' OR s.status NOT IN ('pending', 'configured', 'cancelled')
            ELSE s.position = $3 AND s.status NOT IN ('pending', 'configured', 'cancelled') END
 ORDER BY s.position NULLS FIRST, m.kind, m.ordinal
"""


async def order_media(visit: Visit) -> Answer:
    """Give all media of an order that the manager holds, as one ZIP."""
    return await _archive(visit, None, f"order-{visit.id('bundle')}.zip")


async def slot_media(visit: Visit) -> Answer:
    """Give the media of one slot as one ZIP."""
    position = visit.number("position")
    return await _archive(visit, position, f"order-{visit.id('bundle')}-{position:03}.zip")


async def _archive(visit: Visit, position: int | None, filename: str) -> Answer:
    """Begin an archive; it is read from the store while it is sent.

    Raises:
        ClaimNotYoursError: they do not hold the order.
        PageNotFoundError: there is nothing in it.
    """
    workspace_id, bundle_id = visit.id("workspace"), visit.id("bundle")
    if await queue.held_one(visit.conn, workspace_id, bundle_id, visit.person.id) is None:
        raise ClaimNotYoursError(text("work.not_yours"))
    rows = await visit.conn.fetch(MEDIA, workspace_id, bundle_id, position)
    if not rows:
        raise nothing_here()
    return Stream(zip_chunks(_members(visit.ports, rows)), "application/zip", filename)


def _members(ports: Ports, rows: Sequence[Row]) -> list[Member]:
    return [
        Member(
            _name(row),
            row["size_bytes"],
            partial(ports.storage.get_range, row["object_key"], 0, row["size_bytes"]),
        )
        for row in rows
    ]


def _name(row: Row) -> str:
    """Name a file so that lists have the order of posting: ``003-carousel_image-02.jpg``."""
    suffix = suffix_of(row["content_type"])
    if row["position"] is None:
        return f"profile_picture{suffix}"
    return f"{row['position']:03}-{row['kind']}-{row['ordinal']:02}{suffix}"


_ONE = "/desk/{workspace}/{bundle}"
MEDIA_PAGES: Final = (
    Page("order_media", "GET", f"{_ONE}/media", order_media),
    Page("slot_media", "GET", f"{_ONE}/slots/{{position}}/media", slot_media),
)
