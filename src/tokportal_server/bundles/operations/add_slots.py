"""``addVideoSlots`` and ``addEditSlots``: more of what the bundle has, paid at today's prices."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tokportal_server.bundles.charging import charge_bundle
from tokportal_server.bundles.pricing import cost_of_slots, sum_of
from tokportal_server.bundles.wire import AddedSlots, CostBreakdown
from tokportal_server.credits.prices import Prices, current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.door import begin
from tokportal_server.orders.locks import Row, lock_bundle
from tokportal_server.orders.states import SLOT

MOST_SLOTS = 1000
CLOSED = ("completed", "cancelled", "archived")
INSERT = """
INSERT INTO slots (workspace_id, id, bundle_id, position, status, price, created_at, updated_at)
SELECT $1, s.id, $2, s.position, 'pending', $5, $6, $6
  FROM unnest($3::uuid[], $4::integer[]) AS s (id, position)
"""
LIVE = """
SELECT count(*) FROM slots WHERE workspace_id = $1 AND bundle_id = $2 AND status <> 'cancelled'
"""
GROW = """
UPDATE bundles SET videos_quantity = $3, edits_quantity = $4, cost_breakdown = $5, updated_at = $6
 WHERE workspace_id = $1 AND id = $2
"""


class BundleHasNoVideosError(ApiError):
    """The bundle sets up an account and nothing else."""

    code = "BUNDLE_TYPE_HAS_NO_VIDEOS"
    status = 400
    remedy = "You: order the videos by themselves (`videos_only`) once the account is delivered."


class BundleClosedForSlotsError(ApiError):
    """Nothing can be added to the bundle: it has ended, or its charges are reversed."""

    code = "BUNDLE_CLOSED_FOR_SLOTS"
    status = 400
    remedy = (
        "You: order a new bundle on the account (`POST /bundles`, `videos_only`). One whose charges"
        " were reversed takes slots again once it is published."
    )


async def add_video_slots(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, quantity: int
) -> tuple[AddedSlots, CreditsMoved]:
    """Add pending slots after the last position; give what there is now, and what was charged.

    Also on a published or accepted bundle: its new slots are configured and published one by one.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
        BundleHasNoVideosError, BundleClosedForSlotsError: it can have none.
        ValidationError: there would be more than 1,000.
        InsufficientCreditsError: nothing was written.
    """
    bundle = await _lock_open_bundle(tx, bundle_id)
    first = bundle["videos_quantity"] + 1
    if first + quantity > MOST_SLOTS + 1:
        _refuse_quantity(quantity, "a bundle has at most 1,000 slots", MOST_SLOTS + 1 - first)
    prices = await current_prices(tx.conn, tx.workspace_id)
    slot_ids = [tx.new_id() for _ in range(quantity)]
    positions = list(range(first, first + quantity))
    await tx.conn.execute(
        INSERT, tx.workspace_id, bundle_id, slot_ids, positions, prices.video_slot, tx.now
    )
    for slot_id in slot_ids:
        begin(tx, SLOT, slot_id, root_id=bundle_id, actor=actor, data={})
    moved = await _sell(tx, bundle, prices, actor, videos=quantity)
    return _added(bundle, quantity, positions), moved


async def add_edit_slots(
    *, tx: UnitOfWork, actor: Actor, bundle_id: UUID, quantity: int
) -> tuple[AddedSlots, CreditsMoved]:
    """Add edits; give what there is now, and what was charged.

    Raises:
        BundleNotFoundError: the workspace has no such bundle.
        BundleHasNoVideosError, BundleClosedForSlotsError: it can have none.
        ValidationError: there would be more edits than slots.
        InsufficientCreditsError: nothing was written.
    """
    bundle = await _lock_open_bundle(tx, bundle_id)
    # An edit of a slot that was cancelled would be sold for nothing.
    slots = await tx.conn.fetchval(LIVE, tx.workspace_id, bundle_id)
    room = max(0, slots - bundle["edits_quantity"])
    if quantity > room:
        _refuse_quantity(quantity, "there are at most as many edit slots as video slots", room)
    prices = await current_prices(tx.conn, tx.workspace_id)
    moved = await _sell(tx, bundle, prices, actor, edits=quantity)
    return _added(bundle, 0, [], edits=quantity), moved


async def _lock_open_bundle(tx: UnitOfWork, bundle_id: UUID) -> Row:
    bundle = await lock_bundle(tx, bundle_id)
    if bundle["bundle_type"] == "account_only":
        raise BundleHasNoVideosError(
            f"Bundle {bundle_id} is account_only: it has no videos to add slots for.",
            details={"bundle_type": "account_only"},
        )
    if bundle["status"] in CLOSED:
        raise BundleClosedForSlotsError(
            f"Bundle {bundle_id} is {bundle['status']}: nothing can be added to it any more.",
            details={"current_status": bundle["status"]},
        )
    if bundle["charge_state"] == "reversed":
        # What it costs is charged as a whole when it is published; until then it is not an order
        # that one could pay for in part.
        raise BundleClosedForSlotsError(
            f"The charges of bundle {bundle_id} were reversed. Publish it, which charges it again,"
            " and add to it then.",
            details={"current_status": bundle["status"], "charge_state": "reversed"},
        )
    return bundle


def _refuse_quantity(quantity: int, rule: str, room: int) -> None:
    refuse([Problem("quantity", f"{rule}; this one has room for {room} more", quantity)])


async def _sell(
    tx: UnitOfWork,
    bundle: Row,
    prices: Prices,
    actor: Actor,
    *,
    videos: int = 0,
    edits: int = 0,
) -> CreditsMoved:
    cost = cost_of_slots(prices, videos=videos, edits=edits)
    sold = msgspec.convert(bundle["cost_breakdown"], CostBreakdown)
    await tx.conn.execute(
        GROW,
        tx.workspace_id,
        bundle["id"],
        bundle["videos_quantity"] + videos,
        bundle["edits_quantity"] + edits,
        msgspec.structs.asdict(sum_of([sold, cost])),
        tx.now,
    )
    what = f"{videos} video slots" if videos else f"{edits} edit slots"
    return await charge_bundle(
        tx,
        bundle,
        breakdown=msgspec.structs.asdict(cost),
        edits=edits,
        description=f"{what} added to a bundle",
        actor=actor,
    )


def _added(bundle: Row, videos: int, positions: list[int], *, edits: int = 0) -> AddedSlots:
    return AddedSlots(
        bundle_id=bundle["id"],
        added=videos + edits,
        videos_quantity=bundle["videos_quantity"] + videos,
        edits_quantity=bundle["edits_quantity"] + edits,
        positions=positions,
    )
