"""What an order costs at given prices."""

from __future__ import annotations

from tokportal_server.bundles.wire import CostBreakdown, CreateBundleRequest
from tokportal_server.credits.prices import Prices


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
