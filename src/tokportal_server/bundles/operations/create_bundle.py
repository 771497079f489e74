"""``createBundle``: check, price, debit, and make the bundle with its profile and slots."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tokportal_server.bundles.create_limit import take_create_token
from tokportal_server.bundles.errors import DuplicateAccountBundleError
from tokportal_server.bundles.insertion import insert_bundles, new_bundle
from tokportal_server.bundles.places import find_place
from tokportal_server.bundles.pricing import cost_of
from tokportal_server.bundles.references import lock_references, taken_references
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import Reference
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.unit_of_work import UnitOfWork


async def create_bundle(
    *, tx: UnitOfWork, actor: Actor, order: CreateBundleRequest, per_minute: int
) -> tuple[UUID, CreditsMoved]:
    """Order a bundle; give its id and what was charged. ``per_minute`` is the create limit.

    Raises:
        ValidationError, AccountIdNotAllowedError, CountryNotEnabledError: the order breaks a rule.
        SavedAccountNotFoundError, SavedAccountUnavailableError: the account cannot take it.
        DuplicateAccountBundleError: its external_ref is taken.
        CreateRateLimitError, InsufficientCreditsError: nothing was written.
    """
    place, prices = await find_place(tx, order)
    await _refuse_duplicate(tx, order)
    await take_create_token(tx, per_minute=per_minute)
    cost = cost_of(order, prices)
    bundle = new_bundle(tx, order, place, cost)
    moved, entry_id = await ledger.debit(
        tx,
        amount=cost.total,
        description=f"Bundle {order.bundle_type} on {place.platform} in {place.country}",
        breakdown=msgspec.structs.asdict(cost),
        reference=Reference("bundle", bundle.id, f"bundle:{bundle.id}:charge:1"),
        actor=actor,
    )
    await insert_bundles(tx, [bundle], actor=actor, prices=prices, entry_id=entry_id)
    return bundle.id, moved


async def _refuse_duplicate(tx: UnitOfWork, order: CreateBundleRequest) -> None:
    if not order.external_ref or order.bundle_type == "videos_only":
        return
    await lock_references(tx, [order.external_ref])
    if taken := await taken_references(tx, [order.external_ref]):
        other = taken[0]["id"]
        raise DuplicateAccountBundleError(
            f"external_ref: bundle {other} already has {order.external_ref!r}. Use that bundle,"
            " or another reference.",
            details={"existing_bundle_id": str(other), "field": "external_ref"},
        )
