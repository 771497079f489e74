"""Paid extras of a slot: bought once, at the day's price, and never twice (contract section 7)."""

from __future__ import annotations

from collections.abc import Sequence

from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.videos.wire import SlotContent

BOUGHT = "SELECT name FROM slot_options WHERE workspace_id = $1 AND slot_id = $2"
BUY = """
INSERT INTO slot_options (workspace_id, slot_id, name, price, entry_id, bought_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


def options_of(content: SlotContent) -> list[str]:
    """Give the names of the paid options that a content uses."""
    wanted = {
        "sound_volume": content.volume_original_sound is not None
        or content.volume_added_sound is not None,
        "story_repost": bool(content.story_repost_url),
        "instant_repost": bool(content.instant_repost_as_story),
    }
    return [name for name, used in wanted.items() if used]


async def price_options(tx: UnitOfWork, names: Sequence[str]) -> CreditsMoved:
    """Say what ``names`` cost a slot that has none of them; nothing is bought."""
    prices = await current_prices(tx.conn, tx.workspace_id)
    breakdown: dict[str, int] = {name: getattr(prices, name) for name in names}
    remaining = await ledger.spendable(tx.conn, tx.workspace_id, tx.now)
    return CreditsMoved(sum(breakdown.values()), remaining, breakdown)


async def buy_options(
    tx: UnitOfWork, slot: Row, names: Sequence[str], actor: Actor
) -> CreditsMoved:
    """Buy those of ``names`` that the slot does not have yet; one ledger entry for each.

    Raises:
        InsufficientCreditsError: too few credits; the caller's transaction must not commit.
    """
    bought = {row["name"] for row in await tx.conn.fetch(BOUGHT, tx.workspace_id, slot["id"])}
    missing = [name for name in names if name not in bought]
    if not missing:
        return CreditsMoved(0, await ledger.spendable(tx.conn, tx.workspace_id, tx.now), {})
    prices = await current_prices(tx.conn, tx.workspace_id)
    breakdown: dict[str, int] = {}
    remaining = 0
    for name in missing:
        price: int = getattr(prices, name)
        moved, entry_id = await ledger.debit(
            tx,
            amount=price,
            description=f"Option {name} for slot {slot['position']}",
            breakdown={name: price},
            reference=Reference("video", slot["id"], f"slot:{slot['id']}:option:{name}"),
            actor=actor,
        )
        await tx.conn.execute(BUY, tx.workspace_id, slot["id"], name, price, entry_id, tx.now)
        breakdown[name] = price
        remaining = moved.remaining
    return CreditsMoved(sum(breakdown.values()), remaining, breakdown)
