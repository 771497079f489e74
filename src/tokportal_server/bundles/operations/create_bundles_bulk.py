"""``createBundlesBulk``: all of the bundles or none, and one debit for them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tokportal_server.bundles.bulk_wire import CreateBulkBundlesRequest
from tokportal_server.bundles.create_limit import take_create_token
from tokportal_server.bundles.insertion import NewBundle, insert_bundles, new_bundle
from tokportal_server.bundles.places import Place, find_terms
from tokportal_server.bundles.pricing import cost_of, sum_of
from tokportal_server.bundles.references import lock_references, taken_references
from tokportal_server.bundles.wire import CostBreakdown, CreateBundleRequest
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.credits.prices import Prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork


async def create_bundles_bulk(
    *, tx: UnitOfWork, actor: Actor, request: CreateBulkBundlesRequest, per_minute: int
) -> tuple[list[NewBundle], CreditsMoved]:
    """Order many bundles; give them in their order, and what was charged for all.

    The number of statements does not grow with them. ``per_minute`` is the create limit, of which
    a call takes one.

    Raises:
        ValidationError, CountryNotEnabledError: the order breaks a rule, or one of its external
            references is taken (``details.existing_bundle_ids``).
        CreateRateLimitError, InsufficientCreditsError: nothing was written.
    """
    orders = request.orders()
    kinds = dict.fromkeys(order.bundle_type for order in orders)
    country, prices = await find_terms(
        tx, "platforms", request.platforms, request.country, list(kinds)
    )
    await _refuse_taken(tx, orders)
    await take_create_token(tx, per_minute=per_minute)
    bundles = _bundles(tx, orders, country, prices)
    cost = sum_of(bundle.cost for bundle in bundles)
    order_id = tx.new_id()
    moved, entry_id = await ledger.debit(
        tx,
        amount=cost.total,
        description=f"{len(bundles)} bundles on {' and '.join(request.platforms)} in {country}",
        breakdown=msgspec.structs.asdict(cost),
        reference=Reference("bulk_order", order_id, f"bulk_order:{order_id}:charge:1"),
        actor=actor,
    )
    await insert_bundles(tx, bundles, actor=actor, prices=prices, entry_id=entry_id)
    return bundles, moved


def _bundles(
    tx: UnitOfWork, orders: Sequence[CreateBundleRequest], country: str, prices: Prices
) -> list[NewBundle]:
    costs: dict[str, CostBreakdown] = {}
    for order in orders:
        # Within a call, only the kind of bundle makes a difference in price.
        costs.setdefault(order.bundle_type, cost_of(order, prices))
    return [
        new_bundle(
            tx,
            order,
            Place(order.platform or "tiktok", country),
            costs[order.bundle_type],
            turn=turn,
        )
        for turn, order in enumerate(orders, start=1)
    ]


async def _refuse_taken(tx: UnitOfWork, orders: Sequence[CreateBundleRequest]) -> None:
    references = [order.external_ref for order in orders if order.external_ref]
    if not references:
        return
    await lock_references(tx, references)
    taken = await taken_references(tx, references)
    if not taken:
        return
    names = [row["external_ref"] for row in taken]
    message = (
        f"{len(names)} of the references that it would make are taken, the first {names[0]!r};"
        " send another one"
    )
    raise ValidationError(
        f"external_ref: {message}. Nothing was ordered.",
        details={
            "errors": [{"field": "external_ref", "message": message}],
            "existing_bundle_ids": [str(row["id"]) for row in taken],
        },
    )
