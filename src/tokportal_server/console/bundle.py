"""One bundle: what is in the way, its account, its slots, what happened, and what can be done."""

from __future__ import annotations

from typing import Any, Final

from tokportal_server.bundles.operations.add_slots import add_edit_slots, add_video_slots
from tokportal_server.bundles.operations.cancel_own_bundle import cancel_own_bundle
from tokportal_server.bundles.operations.finalize_profile import finalize_profile
from tokportal_server.bundles.operations.publish_bundle import publish_bundle
from tokportal_server.bundles.operations.request_profile_corrections import (
    request_profile_corrections,
)
from tokportal_server.bundles.operations.unpublish_bundle import unpublish_bundle
from tokportal_server.bundles.operations.update_bundle import update_bundle
from tokportal_server.bundles.queries import get_bundle, get_profile
from tokportal_server.bundles.readiness import assess, gather
from tokportal_server.bundles.references import lock_references
from tokportal_server.bundles.wire import (
    AccountCorrectionsRequest,
    Bundle,
    CorrectionFields,
    PatchBundleRequest,
    QuantityRequest,
)
from tokportal_server.console import overview
from tokportal_server.console.acts import (
    Act,
    bundle_address,
    is_writer,
    perform,
    refusal_of,
    rehearse,
    rules_of,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.once import new_word, perform_once
from tokportal_server.console.reviewing import feedback_of, media_paths, waits_for_customer
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.pages.page import Answer, Page, Refusal, Shown, Visit, nothing_here
from tokportal_server.pages.stale import require_unchanged, version_of
from tokportal_server.uploads.queries import thumbnails_of
from tokportal_server.videos.operations.publish_all_slots import publish_all_slots
from tokportal_server.videos.publishing import AdjustedVideo
from tokportal_server.videos.queries import list_slots
from tokportal_server.videos.requests import VideoCorrectionFields
from tokportal_server.videos.wire import Slot

_SLOTS_SHOWN: Final = 60
# Where a person clears what readiness names: the page's own address after the bundle's.
_CLEARED_AT: Final = {
    "configureBundleAccount": "/profile",
    "configureBundleVideo": "/slots/{position}",
    "patchBundleVideo": "/slots/{position}",
    "addVideoSlots": "#more",
    "unpublishBundle": "#unpublish",
    "publishAllBundleVideos": "#slots",
}


async def show_bundle(
    visit: Visit, refusal: Refusal | None = None, *, price: CreditsMoved | None = None
) -> Answer:
    """Show one bundle: what is asked of the customer, its account, its slots, what happened.

    Raises:
        PageNotFoundError: the workspace has no such bundle.
    """
    workspace_id, bundle_id = visit.workspace.id, visit.id("bundle")
    origin = visit.ports.settings.origin()
    try:
        bundle = await get_bundle(visit.conn, workspace_id, bundle_id)
    except BundleNotFoundError:
        raise nothing_here() from None
    profile = readiness = None
    if bundle.account_id is not None:
        profile = await get_profile(visit.conn, workspace_id, bundle_id, base_url=origin)
    if bundle.status == "pending_setup":
        readiness = assess(await gather(visit.conn, workspace_id, bundle_id, visit.now))
    slots = await list_slots(visit.conn, workspace_id, bundle_id, base_url=origin)
    facts = {
        "bundle": bundle,
        "profile": profile,
        "picture": media_paths(visit, [profile.profile_picture_url] if profile else [])[:1],
        "readiness": readiness,
        "cleared_at": _CLEARED_AT,
        **await _slots(visit, slots),
        "timeline": await overview.timeline_of(visit.conn, workspace_id, bundle_id),
        "account_fields": CorrectionFields.__struct_fields__,
        "slot_fields": VideoCorrectionFields.__struct_fields__,
        "made_from": version_of(_settings(bundle)),
        "writer": is_writer(visit),
        "address": bundle_address(visit),
        "now": visit.now,
        "price": price,
        "once": new_word(),
        "refusal": refusal,
    }
    return Shown("bundle.html", facts)


async def _slots(visit: Visit, slots: list[Slot]) -> dict[str, Any]:
    """Give the slots that wait for the customer, and one page of all."""
    urgent = [slot for slot in slots if waits_for_customer(slot)][:10]
    last = max(1, -(-len(slots) // _SLOTS_SHOWN))
    asked = visit.query.get("slots", "1")
    number = min(int(asked), last) if asked.isdecimal() and len(asked) < 4 else 1
    shown = slots[(max(number, 1) - 1) * _SLOTS_SHOWN :][:_SLOTS_SHOWN]
    small = await thumbnails_of(
        visit.conn, visit.workspace.id, [slot.id for slot in (*shown, *urgent)], base_url=""
    )
    return {
        "slots": shown,
        "urgent": urgent,
        "thumbnails": small,
        "slot_page": max(number, 1),
        "slot_pages": last,
    }


def _settings(bundle: Bundle) -> dict[str, object]:
    return {
        "title": bundle.title,
        "external_ref": bundle.external_ref,
        "auto_finalize_videos": "true" if bundle.auto_finalize_videos else "false",
    }


async def approve_account(visit: Visit) -> Answer:
    """Approve the account that the manager has set up."""

    async def act(tx: UnitOfWork) -> None:
        await finalize_profile(
            tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), rules=rules_of(visit)
        )

    return await _act(visit, "approve-account", act, done="approved")


async def correct_account(visit: Visit) -> Answer:
    """Send the account back to its manager."""

    async def act(tx: UnitOfWork) -> None:
        await request_profile_corrections(
            tx=tx,
            actor=visit.customer,
            bundle_id=visit.id("bundle"),
            request=decode_body(AccountCorrectionsRequest, feedback_of(visit)),
            rules=rules_of(visit),
        )

    return await _act(visit, "correct-account", act, done="corrected")


async def publish(visit: Visit) -> Answer:
    """Offer the bundle to the managers; dates that have gone stale move, as the API does it."""
    moved: list[AdjustedVideo] = []

    async def act(tx: UnitOfWork) -> None:
        publication = await publish_bundle(
            tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), rules=rules_of(visit)
        )
        moved.extend(publication.videos.adjusted)

    def then() -> str:
        done = "published_moved" if moved else "published"
        return f"{bundle_address(visit)}?done={done}"

    return await perform(visit, "publish", act, again=show_bundle, then=then)


async def unpublish(visit: Visit) -> Answer:
    """Take the bundle back from the managers, to change it."""

    async def act(tx: UnitOfWork) -> None:
        await unpublish_bundle(tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"))

    return await _act(visit, "unpublish", act, done="unpublished")


async def publish_slots(visit: Visit) -> Answer:
    """Offer every configured slot of a bundle that is published already."""

    async def act(tx: UnitOfWork) -> None:
        await publish_all_slots(
            tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), rules=rules_of(visit)
        )

    return await _act(visit, "publish-slots", act, done="slots_published")


async def change_settings(visit: Visit) -> Answer:
    """Change title, reference, and how posts are reviewed."""
    bundle_id = visit.id("bundle")

    async def act(tx: UnitOfWork) -> None:
        request = decode_body(
            PatchBundleRequest, body_of(PatchBundleRequest, visit.form, clears=True)
        )
        if request.external_ref:
            # As the operation does: a reference is held before its bundle.
            await lock_references(tx, [request.external_ref])
        await lock_bundle(tx, bundle_id)
        now = await get_bundle(tx.conn, tx.workspace_id, bundle_id)
        require_unchanged(visit.form, _settings(now))
        await update_bundle(tx=tx, bundle_id=bundle_id, request=request)

    return await _act(visit, "settings", act, done="saved")


def _adding(visit: Visit) -> tuple[Act, list[CreditsMoved]]:
    """Give the act that adds what the form says, and where it leaves what was charged."""
    charged: list[CreditsMoved] = []

    async def act(tx: UnitOfWork) -> None:
        asked = decode_body(QuantityRequest, body_of(QuantityRequest, visit.form))
        add = add_edit_slots if visit.field("what") == "edits" else add_video_slots
        _, moved = await add(
            tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), quantity=asked.quantity
        )
        charged.append(moved)

    return act, charged


async def add_slots(visit: Visit) -> Answer:
    """Buy more slots, or more edits."""
    act, _ = _adding(visit)
    then = f"{bundle_address(visit)}?done=added"
    return await perform_once(visit, "more", act, again=show_bundle, then=then)


async def price_slots(visit: Visit) -> Answer:
    """Say what more slots or edits would cost."""
    act, charged = _adding(visit)
    try:
        await rehearse(visit, act)
    except ApiError as error:
        return await show_bundle(visit, refusal_of("more", error, visit))
    asked = Refusal("more", "", 200, {}, visit.form)
    return await show_bundle(visit, asked, price=charged[0])


async def cancel(visit: Visit) -> Answer:
    """Cancel a bundle that nobody has begun."""

    async def act(tx: UnitOfWork) -> None:
        await cancel_own_bundle(tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"))

    return await _act(visit, "cancel", act, done="cancelled")


async def _act(visit: Visit, form: str, act: Act, *, done: str) -> Answer:
    then = f"{bundle_address(visit)}?done={done}"
    return await perform(visit, form, act, again=show_bundle, then=then)


_ONE = "/console/{workspace}/bundles/{bundle}"
BUNDLE_PAGES: Final = (
    Page("bundle", "GET", _ONE, show_bundle),
    Page("approve_account", "POST", f"{_ONE}/account/approve", approve_account),
    Page("correct_account", "POST", f"{_ONE}/account/correct", correct_account),
    Page("publish", "POST", f"{_ONE}/publish", publish),
    Page("unpublish", "POST", f"{_ONE}/unpublish", unpublish),
    Page("publish_slots", "POST", f"{_ONE}/publish-slots", publish_slots),
    Page("bundle_settings", "POST", f"{_ONE}/settings", change_settings),
    Page("add_slots", "POST", f"{_ONE}/more", add_slots),
    Page("price_slots", "POST", f"{_ONE}/more/price", price_slots),
    Page("cancel", "POST", f"{_ONE}/cancel", cancel),
)
