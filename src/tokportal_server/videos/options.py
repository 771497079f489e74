"""Paid extras of a slot: bought once, at the day's price, and never twice (contract section 7)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.credits.prices import Prices, current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.videos.wire import SlotContent

BOUGHT = """
SELECT slot_id, name FROM slot_options WHERE workspace_id = $1 AND slot_id = ANY ($2::uuid[])
"""
RECORD = """
INSERT INTO slot_options (workspace_id, slot_id, name, price, entry_id, bought_at)
SELECT $1, o.slot_id, o.name, o.price, o.entry_id, $2
  FROM unnest($3::uuid[], $4::text[], $5::integer[], $6::uuid[])
       AS o(slot_id, name, price, entry_id)
"""


@dataclass(frozen=True, slots=True)
class BoughtOption:
    """A paid option of a slot; ``entry_id`` is None if it was free."""

    slot_id: UUID
    name: str
    price: int
    entry_id: UUID | None


def options_of(content: SlotContent) -> list[str]:
    """Give the names of the paid options that a content uses."""
    wanted = {
        "sound_volume": content.volume_original_sound is not None
        or content.volume_added_sound is not None,
        "story_repost": bool(content.story_repost_url),
        "instant_repost": bool(content.instant_repost_as_story),
    }
    return [name for name, used in wanted.items() if used]


async def price_options(tx: UnitOfWork, contents: Iterable[SlotContent]) -> CreditsMoved:
    """Say what the options of ``contents`` cost slots that have none; nothing is bought."""
    prices = await current_prices(tx.conn, tx.workspace_id)
    breakdown: Counter[str] = Counter()
    for name in (name for content in contents for name in options_of(content)):
        breakdown[name] += getattr(prices, name)
    remaining = await ledger.spendable(tx.conn, tx.workspace_id, tx.now)
    return CreditsMoved(breakdown.total(), remaining, dict(breakdown))


async def bought_options(tx: UnitOfWork, slot_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """Give the options that each of the slots has; one without has no entry."""
    found: dict[UUID, set[str]] = defaultdict(set)
    for row in await tx.conn.fetch(BOUGHT, tx.workspace_id, slot_ids):
        found[row["slot_id"]].add(row["name"])
    return found


async def buy_options(
    tx: UnitOfWork, slot: Row, names: Sequence[str], actor: Actor, *, prices: Prices
) -> list[BoughtOption]:
    """Pay for ``names``, which the slot does not have; one ledger entry each.

    They are the slot's once :func:`record_options` has written them, in the same transaction.

    Raises:
        InsufficientCreditsError: too few credits; what was written since must be rolled back.
    """
    bought = []
    for name in names:
        price: int = getattr(prices, name)
        _, entry_id = await ledger.debit(
            tx,
            amount=price,
            description=f"Option {name} for slot {slot['position']}",
            breakdown={name: price},
            reference=Reference("video", slot["id"], f"slot:{slot['id']}:option:{name}"),
            actor=actor,
        )
        bought.append(BoughtOption(slot["id"], name, price, entry_id))
    return bought


async def record_options(tx: UnitOfWork, bought: Sequence[BoughtOption]) -> None:
    """Write which slots have what was paid for, in one statement."""
    if bought:
        await tx.conn.execute(
            RECORD,
            tx.workspace_id,
            tx.now,
            [option.slot_id for option in bought],
            [option.name for option in bought],
            [option.price for option in bought],
            [option.entry_id for option in bought],
        )
