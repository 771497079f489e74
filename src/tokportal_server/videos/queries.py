"""Slots as objects of the contract."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from tokportal_server.lib.clock import wire_day, wire_time
from tokportal_server.lib.db import Connection, existing
from tokportal_server.orders.errors import VideoNotFoundError, bundle_not_found
from tokportal_server.orders.locks import Row
from tokportal_server.uploads.media import media_of
from tokportal_server.uploads.wire import MediaError, MediaObject
from tokportal_server.videos.wire import (
    DownloadIssue,
    Slot,
    SlotContent,
    SlotCorrection,
)

BUNDLE_EXISTS = "SELECT videos_quantity FROM bundles WHERE workspace_id = $1 AND id = $2"
SLOTS = "SELECT * FROM slots WHERE workspace_id = $1 AND bundle_id = $2 ORDER BY position"
SLOT_AT = "SELECT * FROM slots WHERE workspace_id = $1 AND bundle_id = $2 AND position = $3"
SLOT_BY_ID = "SELECT * FROM slots WHERE workspace_id = $1 AND id = $2"
OPTIONS = """
SELECT slot_id, name FROM slot_options
 WHERE workspace_id = $1 AND slot_id = ANY ($2::uuid[]) ORDER BY slot_id, name
"""
CORRECTIONS = """
SELECT slot_id, round, comment, fields, requested_at, resolved_at FROM corrections
 WHERE workspace_id = $1 AND slot_id = ANY ($2::uuid[]) ORDER BY slot_id, round
"""


async def list_slots(
    conn: Connection, workspace_id: UUID, bundle_id: UUID, *, base_url: str
) -> list[Slot]:
    """Give every slot of a bundle by position.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
    """
    if await conn.fetchval(BUNDLE_EXISTS, workspace_id, bundle_id) is None:
        raise bundle_not_found(bundle_id)
    rows = await conn.fetch(SLOTS, workspace_id, bundle_id)
    return await _objects(conn, workspace_id, rows, base_url)


async def get_slot(
    conn: Connection, workspace_id: UUID, bundle_id: UUID, position: int, *, base_url: str
) -> Slot:
    """Give one slot.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such bundle, or no such position.
    """
    row = await conn.fetchrow(SLOT_AT, workspace_id, bundle_id, position)
    if row is None:
        quantity = await conn.fetchval(BUNDLE_EXISTS, workspace_id, bundle_id)
        if quantity is None:
            raise bundle_not_found(bundle_id)
        raise VideoNotFoundError(
            f"Bundle {bundle_id} has no slot {position}; its positions are 1 to {quantity}."
        )
    return (await _objects(conn, workspace_id, [row], base_url))[0]


async def slot_object(
    conn: Connection, workspace_id: UUID, slot_id: UUID, *, base_url: str
) -> Slot:
    """Give a slot that is known to exist, as it stands now."""
    row = existing(await conn.fetchrow(SLOT_BY_ID, workspace_id, slot_id))
    return (await _objects(conn, workspace_id, [row], base_url))[0]


def slot_at(slots: Sequence[Row], bundle: Row, position: int) -> Row:
    """Give the row at a position among all slots of a bundle, which are in order.

    Raises:
        VideoNotFoundError: there is none.
    """
    # Positions run from 1 without a gap.
    if 1 <= position <= len(slots):
        return slots[position - 1]
    raise VideoNotFoundError(
        f"Bundle {bundle['id']} has no slot {position}; its positions are 1 to {len(slots)}.",
        details={"position": position, "videos_quantity": len(slots)},
    )


async def _objects(
    conn: Connection, workspace_id: UUID, rows: Sequence[Row], base_url: str
) -> list[Slot]:
    """Make the objects of ``rows`` with three more queries, however many there are."""
    ids = [row["id"] for row in rows]
    media = await media_of(conn, workspace_id, ids, base_url=base_url)
    options: dict[UUID, list[Any]] = defaultdict(list)
    for option in await conn.fetch(OPTIONS, workspace_id, ids):
        options[option["slot_id"]].append(option["name"])
    rounds: dict[UUID, list[SlotCorrection]] = defaultdict(list)
    for row in await conn.fetch(CORRECTIONS, workspace_id, ids):
        rounds[row["slot_id"]].append(_correction(row))
    return [
        _slot(row, media.get(row["id"], []), options[row["id"]], rounds[row["id"]]) for row in rows
    ]


def _correction(row: Row) -> SlotCorrection:
    return SlotCorrection(
        round=row["round"],
        comment=row["comment"],
        fields=row["fields"],
        requested_at=wire_time(row["requested_at"]),
        resolved_at=wire_time(row["resolved_at"]),
    )


def _slot(
    row: Row, media: list[MediaObject], options: list[Any], corrections: list[SlotCorrection]
) -> Slot:
    content = msgspec.convert(row["content"], SlotContent)
    times = (
        "overdue_at",
        "published_at",
        "accepted_at",
        "submitted_at",
        "review_deadline_at",
        "finalized_at",
        "created_at",
        "updated_at",
    )
    same = (
        "bundle_id",
        "position",
        "status",
        "name",
        "external_ref",
        "video_type",
        "date_adjusted",
        "media_status",
        "publish_when_ready",
        "platform_url",
        "evidence_url",
    )
    return Slot(
        id=row["id"],
        video_id=row["id"],
        options_paid=options,
        target_publish_start_date=wire_day(row["target_start"]),
        target_publish_end_date=wire_day(row["target_end"]),
        media=media,
        media_error=row["media_error"] and msgspec.convert(row["media_error"], MediaError),
        download_issue=row["download_issue"]
        and msgspec.convert(row["download_issue"], DownloadIssue),
        corrections=corrections,
        **msgspec.structs.asdict(content),
        **{name: row[name] for name in same},
        **{name: wire_time(row[name]) for name in times},
    )
