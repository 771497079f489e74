"""What things cost a workspace today."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from tokportal_server.lib.db import Connection

CURRENT_PRICES = """
SELECT DISTINCT ON (name) name, amount FROM (
    SELECT name, amount, valid_from, 0 AS own FROM prices WHERE valid_from <= now()
    UNION ALL
    SELECT name, amount, valid_from, 1 FROM workspace_prices
     WHERE workspace_id = $1 AND valid_from <= now()
) p ORDER BY name, own DESC, valid_from DESC
"""


class Prices(msgspec.Struct, frozen=True):
    """Every price, in whole credits."""

    account_creation: int
    video_slot: int
    edit_slot: int
    niche_warming: int
    deep_warming: int
    moderation: int
    sound_volume: int
    story_repost: int
    instant_repost: int
    comment_task: int
    account_edit: int
    owning_fee: int


OPTION_PRICES: Final = ("sound_volume", "story_repost", "instant_repost")


async def current_prices(conn: Connection, workspace_id: UUID | None) -> Prices:
    """Give the prices in force now, a workspace's own ones before the general ones."""
    rows = await conn.fetch(CURRENT_PRICES, workspace_id)
    return msgspec.convert({row["name"]: row["amount"] for row in rows}, Prices)
