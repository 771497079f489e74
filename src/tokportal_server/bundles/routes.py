"""Operations of the reference's group Bundles."""

from __future__ import annotations

from typing import Any

import msgspec

from tokportal_server.bundles import queries
from tokportal_server.bundles.bulk_wire import BulkBundle, BulkOrder, CreateBulkBundlesRequest
from tokportal_server.bundles.errors import (
    AccountIdNotAllowedError,
    BundleAcceptedError,
    CountryNotEnabledError,
    CreateRateLimitError,
    DuplicateAccountBundleError,
)
from tokportal_server.bundles.operations.add_slots import (
    BundleClosedForSlotsError,
    BundleHasNoVideosError,
    add_edit_slots,
    add_video_slots,
)
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.operations.create_bundles_bulk import create_bundles_bulk
from tokportal_server.bundles.operations.publish_bundle import BLOCKERS, publish_bundle
from tokportal_server.bundles.operations.unpublish_bundle import (
    BundleNotPublishedError,
    unpublish_bundle,
)
from tokportal_server.bundles.operations.update_bundle import (
    BundleNotOwnedError,
    DuplicateExternalRefError,
    update_bundle,
)
from tokportal_server.bundles.pricing import cost_of, cost_of_slots
from tokportal_server.bundles.readiness import assess, gather
from tokportal_server.bundles.wire import (
    AddedSlots,
    Bundle,
    CostBreakdown,
    CreateBundleRequest,
    ListBundlesQuery,
    PatchBundleRequest,
    PublishedBundle,
    QuantityRequest,
    Readiness,
)
from tokportal_server.credits import ledger
from tokportal_server.credits.ledger import InsufficientCreditsError
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import Answer, CreditsMoved
from tokportal_server.http.call import Call
from tokportal_server.http.errors import DryRunIdError, OptionNotOfferedError
from tokportal_server.http.registry import Router
from tokportal_server.orders.errors import (
    BundleNotFoundError,
    SavedAccountNotFoundError,
    SavedAccountUnavailableError,
)
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.errors import StaleDatesError
from tokportal_server.videos.routes import stale_dates_of

router = Router("Bundles")


@router.operation(
    "GET",
    "/bundles",
    "listBundles",
    summary="List bundles",
    returns=list[Bundle],
    paged=True,
)
async def list_bundles(call: Call, query: ListBundlesQuery) -> Answer:
    """Bundles of the workspace, newest first."""
    bundles, page = await queries.list_bundles(call.conn, call.who.workspace_id, query)
    return Answer(bundles, page=page)


async def _price_order(call: Call, body: CreateBundleRequest) -> CreditsMoved:
    prices = await current_prices(call.tx.conn, call.tx.workspace_id)
    return await _would_cost(call, cost_of(body, prices))


async def _would_cost(call: Call, cost: CostBreakdown) -> CreditsMoved:
    remaining = await ledger.spendable(call.tx.conn, call.tx.workspace_id, call.tx.now)
    return CreditsMoved(cost.total, remaining, msgspec.structs.asdict(cost))


@router.operation(
    "POST",
    "/bundles",
    "createBundle",
    summary="Create a bundle",
    returns=Bundle,
    status=201,
    errors=(
        AccountIdNotAllowedError,
        CountryNotEnabledError,
        OptionNotOfferedError,
        DryRunIdError,
        InsufficientCreditsError,
        SavedAccountNotFoundError,
        SavedAccountUnavailableError,
        DuplicateAccountBundleError,
        CreateRateLimitError,
    ),
    moves_credits=True,
    price=_price_order,
)
async def post_bundle(call: Call, body: CreateBundleRequest) -> Answer:
    """Order an account, video slots, or both; the credits are taken now."""
    if body.account_id is not None and body.bundle_type == "videos_only":
        call.require_real("account_id", body.account_id)
    bundle_id, moved = await create_bundle(
        tx=call.tx,
        actor=call.who.actor,
        order=body,
        per_minute=call.ports.settings.create_bucket_per_minute,
    )
    bundle = await queries.get_bundle(call.tx.conn, call.tx.workspace_id, bundle_id)
    return Answer(bundle, status=201, credits=moved)


@router.operation(
    "POST",
    "/bundles/bulk",
    "createBundlesBulk",
    summary="Create bundles in bulk",
    returns=BulkOrder,
    status=201,
    errors=(
        CountryNotEnabledError,
        OptionNotOfferedError,
        InsufficientCreditsError,
        CreateRateLimitError,
    ),
    moves_credits=True,
)
async def post_bundles_bulk(call: Call, body: CreateBulkBundlesRequest) -> Answer:
    """Order accounts on several platforms at once: all of them or none, in one debit."""
    bundles, moved = await create_bundles_bulk(
        tx=call.tx,
        actor=call.who.actor,
        request=body,
        per_minute=call.ports.settings.create_bucket_per_minute,
    )
    told = [
        BulkBundle(
            id=bundle.id,
            bundle_id=bundle.id,
            bundle_type=bundle.bundle_type,
            platform=bundle.platform,
            country=bundle.country,
            status="pending_setup",
            external_ref=bundle.external_ref,
        )
        for bundle in bundles
    ]
    videos = sum(bundle.videos_quantity for bundle in bundles)
    order = BulkOrder(bundles=told, total_bundles=len(told), total_videos=videos)
    return Answer(order, status=201, credits=moved)


@router.operation(
    "GET",
    "/bundles/{id}",
    "getBundle",
    summary="Get a bundle",
    returns=Bundle,
    path_errors=(BundleNotFoundError,),
)
async def get_bundle(call: Call) -> Answer:
    """One bundle, with its slots counted by status."""
    bundle_id = call.id("id", BundleNotFoundError)
    return Answer(await queries.get_bundle(call.conn, call.who.workspace_id, bundle_id))


@router.operation(
    "PATCH",
    "/bundles/{id}",
    "updateBundle",
    summary="Update bundle settings",
    returns=Bundle,
    path_errors=(BundleNotFoundError,),
    errors=(BundleNotOwnedError, DuplicateExternalRefError),
)
async def patch_bundle(call: Call, body: PatchBundleRequest) -> Answer:
    """Change a bundle's title, reference, or how its posts are reviewed."""
    bundle_id = call.id("id", BundleNotFoundError)
    await update_bundle(tx=call.tx, bundle_id=bundle_id, request=body)
    return await _bundle(call)


async def _bundle(call: Call) -> Answer:
    """Answer a change of the bundle with the bundle as it is now."""
    bundle_id = call.id("id", BundleNotFoundError)
    return Answer(await queries.get_bundle(call.tx.conn, call.tx.workspace_id, bundle_id))


@router.operation(
    "GET",
    "/bundles/{id}/publish-readiness",
    "getBundlePublishReadiness",
    summary="Check bundle publish readiness",
    returns=Readiness,
    path_errors=(BundleNotFoundError,),
)
async def get_bundle_publish_readiness(call: Call) -> Answer:
    """Everything that is in the way of publishing, each with the call that clears it."""
    bundle_id = call.id("id", BundleNotFoundError)
    facts = await gather(call.conn, call.who.workspace_id, bundle_id, call.who.now)
    return Answer(assess(facts))


@router.operation(
    "POST",
    "/bundles/{id}/publish",
    "publishBundle",
    summary="Publish a bundle",
    more_headers=("StaleDates",),
    returns=PublishedBundle,
    path_errors=(BundleNotFoundError,),
    errors=(*BLOCKERS.values(), StaleDatesError, InsufficientCreditsError),
    moves_credits=True,
)
async def post_bundle_publish(call: Call) -> Answer:
    """Offer the profile and the configured slots to the managers of the country."""
    bundle_id = call.id("id", BundleNotFoundError)
    done = await publish_bundle(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=bundle_id,
        rules=OrderRules.of(call.ports.settings),
        stale_dates=stale_dates_of(call),
    )
    bundle = await queries.get_bundle(call.tx.conn, call.tx.workspace_id, bundle_id)
    facts: dict[str, Any] = msgspec.structs.asdict(bundle)
    published = PublishedBundle(
        **facts,
        videos_published=len(done.videos.published),
        videos_waiting_media=done.videos.waiting,
        warnings=done.warnings,
        adjusted_videos=done.videos.adjusted,
    )
    return Answer(published, credits=done.credits)


@router.operation(
    "POST",
    "/bundles/{id}/unpublish",
    "unpublishBundle",
    summary="Unpublish a bundle",
    returns=Bundle,
    path_errors=(BundleNotFoundError,),
    errors=(BundleNotPublishedError, BundleAcceptedError),
)
async def post_bundle_unpublish(call: Call) -> Answer:
    """Take a bundle back that no manager has claimed; nothing is refunded."""
    bundle_id = call.id("id", BundleNotFoundError)
    await unpublish_bundle(tx=call.tx, actor=call.who.actor, bundle_id=bundle_id)
    return await _bundle(call)


async def _price_videos(call: Call, body: QuantityRequest) -> CreditsMoved:
    prices = await current_prices(call.tx.conn, call.tx.workspace_id)
    return await _would_cost(call, cost_of_slots(prices, videos=body.quantity))


async def _price_edits(call: Call, body: QuantityRequest) -> CreditsMoved:
    prices = await current_prices(call.tx.conn, call.tx.workspace_id)
    return await _would_cost(call, cost_of_slots(prices, edits=body.quantity))


@router.operation(
    "POST",
    "/bundles/{id}/add-video-slots",
    "addVideoSlots",
    summary="Add video slots to a bundle",
    returns=AddedSlots,
    path_errors=(BundleNotFoundError,),
    errors=(BundleHasNoVideosError, BundleClosedForSlotsError, InsufficientCreditsError),
    moves_credits=True,
    price=_price_videos,
)
async def post_bundle_video_slots(call: Call, body: QuantityRequest) -> Answer:
    """Buy more slots, empty and after the last one; the credits are taken now."""
    added, moved = await add_video_slots(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        quantity=body.quantity,
    )
    return Answer(added, credits=moved)


@router.operation(
    "POST",
    "/bundles/{id}/add-edit-slots",
    "addEditSlots",
    summary="Add edit slots to a bundle",
    returns=AddedSlots,
    path_errors=(BundleNotFoundError,),
    errors=(BundleHasNoVideosError, BundleClosedForSlotsError, InsufficientCreditsError),
    moves_credits=True,
    price=_price_edits,
)
async def post_bundle_edit_slots(call: Call, body: QuantityRequest) -> Answer:
    """Buy more edits, at most one for each slot; the credits are taken now."""
    added, moved = await add_edit_slots(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        quantity=body.quantity,
    )
    return Answer(added, credits=moved)
