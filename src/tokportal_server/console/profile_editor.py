"""The profile that a manager is to set up: what it is to hold."""

from __future__ import annotations

from typing import Final

from tokportal_server.bundles.operations.configure_profile import CONFIGURABLE, configure_profile
from tokportal_server.bundles.queries import get_bundle, get_profile
from tokportal_server.bundles.wire import ConfigureAccountRequest, Profile
from tokportal_server.console.acts import (
    bundle_address,
    is_writer,
    perform,
    source_of,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.reviewing import media_paths
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import BundleNotFoundError, ListingNotFoundError
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.pages.page import Answer, Page, Refusal, Shown, Visit, nothing_here
from tokportal_server.pages.stale import require_unchanged, version_of
from tokportal_server.uploads.limits import media_limits

_PICTURE: Final = "profile_picture_url"


async def show_profile(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show the form of the profile, or why it cannot be changed now.

    Raises:
        PageNotFoundError: the workspace has no such bundle, or it sets no account up.
    """
    profile = await _profile(visit)
    bundle = await get_bundle(visit.conn, visit.workspace.id, visit.id("bundle"))
    values = _contents(profile)
    path = visit.query.get("file", "")[:300]
    facts = {
        "bundle": bundle,
        "profile": profile,
        "values": {**values, _PICTURE: path} if path else values,
        "made_from": version_of(values),
        "picture": media_paths(visit, [profile.profile_picture_url])[:1],
        "limits": media_limits(visit.ports.settings),
        "open": profile.status in CONFIGURABLE and bundle.status == "pending_setup",
        "writer": is_writer(visit),
        "root": bundle_address(visit),
        "refusal": refusal,
    }
    return Shown("profile.html", facts)


async def _profile(visit: Visit) -> Profile:
    try:
        return await get_profile(
            visit.conn,
            visit.workspace.id,
            visit.id("bundle"),
            base_url=visit.ports.settings.origin(),
        )
    except (BundleNotFoundError, ListingNotFoundError):
        raise nothing_here() from None


def _contents(profile: Profile) -> dict[str, str]:
    names = ConfigureAccountRequest.__struct_fields__
    return {name: getattr(profile, name) or "" for name in names}


async def configure(visit: Visit) -> Answer:
    """Replace what the profile is to hold."""
    bundle_id = visit.id("bundle")

    async def act(tx: UnitOfWork) -> None:
        await lock_bundle(tx, bundle_id)
        now = _contents(await _profile(visit))
        require_unchanged(visit.form, {name: now[name] for name in now if name in visit.form})
        request = decode_body(ConfigureAccountRequest, body_of(ConfigureAccountRequest, visit.form))
        await configure_profile(
            tx=tx,
            actor=visit.customer,
            bundle_id=bundle_id,
            request=request,
            source=source_of(visit),
        )

    then = f"{bundle_address(visit)}?done=saved"
    return await perform(visit, "profile", act, again=show_profile, then=then)


_HERE = "/console/{workspace}/bundles/{bundle}/profile"
PROFILE_PAGES: Final = (
    Page("profile", "GET", _HERE, show_profile),
    Page("configure_profile", "POST", _HERE, configure),
)
