"""Operations of the reference's group Account Configuration: the profile to set up."""

from __future__ import annotations

from tokportal_server.bundles import queries
from tokportal_server.bundles.operations.configure_profile import configure_profile
from tokportal_server.bundles.operations.finalize_profile import finalize_profile
from tokportal_server.bundles.operations.request_profile_corrections import (
    request_profile_corrections,
)
from tokportal_server.bundles.wire import (
    AccountCorrectionsRequest,
    ConfigureAccountRequest,
    Profile,
)
from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.errors import OptionNotOfferedError
from tokportal_server.http.registry import Router
from tokportal_server.orders.errors import (
    AccountStatusError,
    BundleNotFoundError,
    ListingNotFoundError,
)
from tokportal_server.orders.rules import OrderRules
from tokportal_server.uploads.media import MediaNotFoundError
from tokportal_server.uploads.source import MediaSource

router = Router("Account Configuration")


async def _profile(call: Call) -> Answer:
    """Answer a change of the profile with the profile as it is now."""
    bundle_id = call.id("id", BundleNotFoundError)
    profile = await queries.get_profile(
        call.tx.conn, call.tx.workspace_id, bundle_id, base_url=call.base_url
    )
    return Answer(profile)


@router.operation(
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


@router.operation(
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


@router.operation(
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


@router.operation(
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
