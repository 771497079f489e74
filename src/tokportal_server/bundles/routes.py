"""Operations of the reference's groups Bundles and Account Configuration."""

from __future__ import annotations

from typing import Any

import msgspec

from tokportal_server.bundles import queries
from tokportal_server.bundles.errors import (
    AccountIdNotAllowedError,
    CountryNotEnabledError,
    CreateRateLimitError,
    DuplicateAccountBundleError,
)
from tokportal_server.bundles.operations.configure_profile import configure_profile
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.operations.finalize_profile import finalize_profile
from tokportal_server.bundles.operations.publish_bundle import BLOCKERS, publish_bundle
from tokportal_server.bundles.operations.request_profile_corrections import (
    request_profile_corrections,
)
from tokportal_server.bundles.pricing import cost_of
from tokportal_server.bundles.readiness import assess, gather
from tokportal_server.bundles.wire import (
    AccountCorrectionsRequest,
    Bundle,
    ConfigureAccountRequest,
    CreateBundleRequest,
    ListBundlesQuery,
    Profile,
    PublishedBundle,
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
    AccountStatusError,
    BundleNotFoundError,
    ListingNotFoundError,
    SavedAccountNotFoundError,
    SavedAccountUnavailableError,
)
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.media import MediaNotFoundError
from tokportal_server.uploads.source import MediaSource
from tokportal_server.videos.errors import StaleDatesError
from tokportal_server.videos.routes import stale_dates_of

router = Router("Bundles")
account = Router("Account Configuration")


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
    cost = cost_of(body, await current_prices(call.tx.conn, call.tx.workspace_id))
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


async def _profile(call: Call) -> Answer:
    """Answer a change of the profile with the profile as it is now."""
    bundle_id = call.id("id", BundleNotFoundError)
    profile = await queries.get_profile(
        call.tx.conn, call.tx.workspace_id, bundle_id, base_url=call.base_url
    )
    return Answer(profile)


@account.operation(
    "GET",
    "/bundles/{id}/account",
    "getBundleAccount",
    summary="Get bundle account configuration",
    returns=Profile,
    path_errors=(BundleNotFoundError, ListingNotFoundError),
)
async def get_bundle_account(call: Call) -> Answer:
    """The profile that the bundle sets up, and how far it is."""
    bundle_id = call.id("id", BundleNotFoundError)
    profile = await queries.get_profile(
        call.conn, call.who.workspace_id, bundle_id, base_url=call.base_url
    )
    return Answer(profile)


@account.operation(
    "PUT",
    "/bundles/{id}/account",
    "configureBundleAccount",
    summary="Configure bundle account profile",
    returns=Profile,
    path_errors=(BundleNotFoundError, ListingNotFoundError),
    errors=(MediaNotFoundError, OptionNotOfferedError, AccountStatusError),
)
async def put_bundle_account(call: Call, body: ConfigureAccountRequest) -> Answer:
    """Replace the wanted profile; possible until the bundle is published."""
    await configure_profile(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        request=body,
        source=MediaSource.of(call),
    )
    return await _profile(call)


@account.operation(
    "POST",
    "/bundles/{id}/account/corrections",
    "requestBundleAccountCorrections",
    summary="Request account corrections",
    returns=Profile,
    path_errors=(BundleNotFoundError, ListingNotFoundError),
    errors=(AccountStatusError,),
)
async def post_bundle_account_corrections(call: Call, body: AccountCorrectionsRequest) -> Answer:
    """Send the set-up account back to its manager."""
    await request_profile_corrections(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        request=body,
        rules=OrderRules.of(call.ports.settings),
    )
    return await _profile(call)


@account.operation(
    "POST",
    "/bundles/{id}/account/finalize",
    "finalizeBundleAccount",
    summary="Finalize account review",
    returns=Profile,
    path_errors=(BundleNotFoundError, ListingNotFoundError),
    errors=(AccountStatusError,),
)
async def post_bundle_account_finalize(call: Call) -> Answer:
    """Approve the set-up account: it is delivered, and its slots can be posted."""
    await finalize_profile(
        tx=call.tx,
        actor=call.who.actor,
        bundle_id=call.id("id", BundleNotFoundError),
        rules=OrderRules.of(call.ports.settings),
    )
    return await _profile(call)
