"""New bundles with their profiles, slots and first charges: one statement for one or for many."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from tokportal_server.bundles.places import Place
from tokportal_server.bundles.wire import (
    BundleType,
    CostBreakdown,
    CreateBundleRequest,
    PlatformCode,
)
from tokportal_server.credits.prices import Prices
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_bundle
from tokportal_server.orders.door import begin
from tokportal_server.orders.states import BUNDLE, PROFILE, SLOT

# Rows get their ordinals, and with them their place in the list, in the order in which they come.
INSERT = """
WITH ordered AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS o (
        place integer, id uuid, profile_id uuid, bundle_type text, platform text, country text,
        title text, external_ref text, videos_quantity integer, edits_quantity integer,
        auto_finalize_videos boolean, wants_niche_warming boolean, wants_deep_warming boolean,
        wants_moderation boolean, niche_warming_instructions text, moderation_notice text,
        saved_account_id uuid, cost jsonb)
), profile AS (
    INSERT INTO profiles (workspace_id, bundle_id, id, status, niche_warming_instructions)
    SELECT $1, id, profile_id, 'pending', niche_warming_instructions FROM ordered
     WHERE profile_id IS NOT NULL
), slot AS (
    INSERT INTO slots (workspace_id, id, bundle_id, position, status, price, created_at, updated_at)
    SELECT $1, s.id, s.bundle_id, s.position, 'pending', ($3::jsonb ->> 'video_slot')::integer,
           $4, $4
      FROM unnest($5::uuid[], $6::uuid[], $7::integer[]) AS s (id, bundle_id, position)
), charge AS (
    INSERT INTO bundle_charges (workspace_id, bundle_id, number, entry_id, amount, breakdown, edits)
    SELECT $1, id, 1, $8::uuid, (cost ->> 'total')::integer, cost, edits_quantity FROM ordered
     WHERE (cost ->> 'total')::integer > 0
)
INSERT INTO bundles (workspace_id, id, bundle_type, platform, country, status, title,
    external_ref, videos_quantity, edits_quantity, auto_finalize_videos, wants_niche_warming,
    wants_deep_warming, wants_moderation, niche_warming_instructions, moderation_notice,
    saved_account_id, cost_breakdown, sold_prices, moved_at, created_at, updated_at)
SELECT $1, id, bundle_type, platform, country, 'pending_setup', title,
       external_ref, videos_quantity, edits_quantity, auto_finalize_videos, wants_niche_warming,
       wants_deep_warming, wants_moderation, niche_warming_instructions, moderation_notice,
       saved_account_id, cost, $3::jsonb, $4, $4, $4
  FROM ordered ORDER BY place
RETURNING *
"""


class NewBundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle to insert; ``place`` is its turn, ``profile_id`` is None for videos_only."""

    place: int
    id: UUID
    profile_id: UUID | None
    bundle_type: BundleType
    platform: PlatformCode
    country: str
    title: str | None
    external_ref: str | None
    videos_quantity: int
    edits_quantity: int
    auto_finalize_videos: bool
    wants_niche_warming: bool
    wants_deep_warming: bool
    wants_moderation: bool
    niche_warming_instructions: str | None
    moderation_notice: str | None
    saved_account_id: UUID | None
    cost: CostBreakdown


def new_bundle(
    tx: UnitOfWork,
    order: CreateBundleRequest,
    place: Place,
    cost: CostBreakdown,
    *,
    turn: int = 1,
) -> NewBundle:
    """Make of a checked order what is inserted; what is not asked for is null, 0 or false."""
    return NewBundle(
        place=turn,
        id=tx.new_id(),
        profile_id=None if place.account_id else tx.new_id(),
        bundle_type=order.bundle_type,
        platform=place.platform,
        country=place.country,
        title=order.title or None,
        external_ref=order.external_ref or None,
        videos_quantity=order.videos_quantity or 0,
        edits_quantity=order.edits_quantity or 0,
        auto_finalize_videos=order.auto_finalize_videos is not False,
        wants_niche_warming=bool(order.wants_niche_warming),
        wants_deep_warming=bool(order.wants_deep_warming),
        wants_moderation=bool(order.wants_moderation),
        niche_warming_instructions=order.niche_warming_instructions or None,
        moderation_notice=order.moderation_notice or None,
        saved_account_id=place.account_id,
        cost=cost,
    )


async def insert_bundles(
    tx: UnitOfWork,
    bundles: Sequence[NewBundle],
    *,
    actor: Actor,
    prices: Prices,
    entry_id: UUID | None,
) -> None:
    """Insert bundles that the debit ``entry_id`` paid for, all of their parts pending.

    ``entry_id`` is None when they are free.
    """
    slots = [
        (tx.new_id(), bundle.id, position)
        for bundle in bundles
        for position in range(1, bundle.videos_quantity + 1)
    ]
    rows = await tx.conn.fetch(
        INSERT,
        tx.workspace_id,
        bundles,
        prices,
        tx.now,
        [slot_id for slot_id, _, _ in slots],
        [bundle_id for _, bundle_id, _ in slots],
        [position for _, _, position in slots],
        entry_id,
    )
    for bundle, row in zip(bundles, rows, strict=True):
        data = about_bundle(row)
        begin(tx, BUNDLE, bundle.id, root_id=bundle.id, actor=actor, data=data)
        if bundle.profile_id is not None:
            begin(tx, PROFILE, bundle.profile_id, root_id=bundle.id, actor=actor, data={})
    for slot_id, bundle_id, _ in slots:
        begin(tx, SLOT, slot_id, root_id=bundle_id, actor=actor, data={})
