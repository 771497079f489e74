"""The lock order of every transaction on orders: bundles by id first, then what belongs to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import (
    ListingNotFoundError,
    VideoNotFoundError,
    bundle_not_found,
)

Row = asyncpg.Record

LOCK_BUNDLE = "SELECT * FROM bundles WHERE workspace_id = $1 AND id = $2 FOR UPDATE"
LOCK_BUNDLE_IF_FREE = LOCK_BUNDLE + " SKIP LOCKED"
LOCK_PROFILE = "SELECT * FROM profiles WHERE workspace_id = $1 AND bundle_id = $2 FOR UPDATE"
LOCK_SLOT = """
SELECT * FROM slots WHERE workspace_id = $1 AND bundle_id = $2 AND position = $3 FOR UPDATE
"""
LOCK_SLOTS = """
SELECT * FROM slots WHERE workspace_id = $1 AND bundle_id = $2 ORDER BY position FOR UPDATE
"""


async def lock_bundle(tx: UnitOfWork, bundle_id: UUID) -> Row:
    """Lock a bundle and give its row.

    Raises:
        BundleNotFoundError: the workspace has none with this id.
    """
    row = await tx.conn.fetchrow(LOCK_BUNDLE, tx.workspace_id, bundle_id)
    if row is None:
        raise bundle_not_found(bundle_id)
    return row


async def lock_profile(tx: UnitOfWork, bundle: Row) -> Row:
    """Lock the profile of a locked bundle.

    Raises:
        ListingNotFoundError: the bundle is videos_only.
    """
    row = await find_profile(tx, bundle)
    if row is None:
        raise ListingNotFoundError(
            f"Bundle {bundle['id']} is videos_only: its account is delivered already and has no"
            " profile to set up."
        )
    return row


async def find_profile(tx: UnitOfWork, bundle: Row) -> Row | None:
    """Lock the profile of a locked bundle, if it has one."""
    return await tx.conn.fetchrow(LOCK_PROFILE, tx.workspace_id, bundle["id"])


async def lock_slot(tx: UnitOfWork, bundle: Row, position: int) -> Row:
    """Lock one slot of a locked bundle.

    Raises:
        VideoNotFoundError: there is none at this position.
    """
    row = await tx.conn.fetchrow(LOCK_SLOT, tx.workspace_id, bundle["id"], position)
    if row is None:
        raise VideoNotFoundError(
            f"Bundle {bundle['id']} has no slot {position}; its positions are 1 to"
            f" {bundle['videos_quantity']}.",
            details={"position": position, "videos_quantity": bundle["videos_quantity"]},
        )
    return row


async def lock_slots(tx: UnitOfWork, bundle: Row) -> list[Row]:
    """Lock every slot of a locked bundle, by position."""
    rows: list[Any] = await tx.conn.fetch(LOCK_SLOTS, tx.workspace_id, bundle["id"])
    return rows
