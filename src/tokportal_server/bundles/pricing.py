"""What an order costs at given prices, and what it costs again."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tokportal_server.bundles.wire import CostBreakdown, CreateBundleRequest
from tokportal_server.credits.prices import Prices
from tokportal_server.orders.locks import Row

NOTHING = CostBreakdown(0, 0, 0, 0, 0, 0, 0)


def cost_of(order: CreateBundleRequest, prices: Prices) -> CostBreakdown:
    """Price an order; parts that are not asked for are 0."""
    parts = {
        "account_creation": 0 if order.bundle_type == "videos_only" else prices.account_creation,
        "video_slots": (order.videos_quantity or 0) * prices.video_slot,
        "edit_slots": (order.edits_quantity or 0) * prices.edit_slot,
        "niche_warming": prices.niche_warming if order.wants_niche_warming else 0,
        "deep_warming": prices.deep_warming if order.wants_deep_warming else 0,
        "moderation": prices.moderation if order.wants_moderation else 0,
    }
    return CostBreakdown(**parts, total=sum(parts.values()))


def cost_of_slots(prices: Prices, *, videos: int = 0, edits: int = 0) -> CostBreakdown:
    """Price slots that are added to an order."""
    videos, edits = videos * prices.video_slot, edits * prices.edit_slot
    return msgspec.structs.replace(
        NOTHING, video_slots=videos, edit_slots=edits, total=videos + edits
    )


def sum_of(costs: Iterable[CostBreakdown]) -> CostBreakdown:
    """Add costs part by part."""
    columns = zip(*map(msgspec.structs.astuple, [NOTHING, *costs]), strict=True)
    return CostBreakdown(*map(sum, columns))


def cost_again(bundle: Row, slots: Iterable[Row]) -> dict[str, int]:
    """Give the sold prices of a bundle whose charges were reversed; cancelled slots stay out."""
    sold: dict[str, int] = bundle["cost_breakdown"]
    videos = sum(slot["price"] for slot in slots if slot["status"] != "cancelled")
    return {
        **sold,
        "video_slots": videos,
        "total": sold["total"] - sold["video_slots"] + videos,
    }
