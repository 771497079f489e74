"""The customer's pages: what needs them, their bundles, one bundle with review and publication."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from tokportal_server.bundles.operations.cancel_own_bundle import cancel_own_bundle
from tokportal_server.bundles.operations.finalize_profile import finalize_profile
from tokportal_server.bundles.operations.publish_bundle import publish_bundle
from tokportal_server.bundles.operations.request_profile_corrections import (
    request_profile_corrections,
)
from tokportal_server.bundles.queries import get_bundle, get_profile, list_bundles
from tokportal_server.bundles.readiness import assess, gather
from tokportal_server.bundles.search import find_bundles
from tokportal_server.bundles.wire import (
    AccountCorrectionsRequest,
    CorrectionFields,
    ListBundlesQuery,
)
from tokportal_server.console import overview
from tokportal_server.console.work import Act, slot_details
from tokportal_server.credits.ledger import spendable
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import BundleStatus
from tokportal_server.pages.page import (
    Answer,
    Page,
    Redirect,
    Refusal,
    Shown,
    Visit,
    nothing_here,
)
from tokportal_server.videos.operations.finalize_slot import finalize_slot
from tokportal_server.videos.operations.request_slot_corrections import request_slot_corrections
from tokportal_server.videos.queries import list_slots
from tokportal_server.videos.requests import VideoCorrectionFields, VideoCorrectionsRequest

_STATUSES: Final[tuple[str, ...]] = get_args(BundleStatus)


async def show_overview(visit: Visit) -> Answer:
    """Show what needs the customer now."""
    workspace_id = visit.workspace.id
    facts = {
        "needs": await overview.needs_of(visit.conn, workspace_id),
        "drafts": await overview.drafts_of(visit.conn, workspace_id, visit.now),
        "counts": await overview.counts_of(visit.conn, workspace_id),
        "statuses": _STATUSES,
        "credits": await spendable(visit.conn, workspace_id, visit.now),
        "low_mark": await overview.low_mark_of(visit.conn, workspace_id),
        "now": visit.now,
    }
    return Shown("overview.html", facts)


async def show_bundles(visit: Visit) -> Answer:
    """Show the bundles, newest first, of one status or of all; or what a search found."""
    sought = visit.query.get("q", "").strip()[:200]
    status = visit.query.get("status", "")
    facts: dict[str, Any] = {"q": sought, "status": status, "statuses": _STATUSES, "pages": None}
    if sought:
        found = await find_bundles(visit.conn, sought, workspace_id=visit.workspace.id)
        facts["bundles"] = [one for one in found if status in ("", one.status)]
    else:
        number = visit.query.get("page", "1")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
        wanted = {"status": status} if status in _STATUSES else {}
        query = msgspec.convert({"page": max(page, 1), **wanted}, ListBundlesQuery)
        facts["bundles"], facts["pages"] = await list_bundles(visit.conn, visit.workspace.id, query)
    return Shown("bundles.html", facts)


async def show_bundle(visit: Visit, refusal: Refusal | None = None) -> Answer:
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
        "readiness": readiness,
        "slots": slots,
        "details": {slot.position: slot_details(slot) for slot in slots},
        "timeline": await overview.timeline_of(visit.conn, workspace_id, bundle_id),
        "account_fields": CorrectionFields.__struct_fields__,
        "slot_fields": VideoCorrectionFields.__struct_fields__,
        "writer": visit.workspace.role != "viewer",
        "address": _address(visit),
        "now": visit.now,
        "refusal": refusal,
    }
    return Shown("bundle.html", facts, refusal.status if refusal else 200)


async def approve_account(visit: Visit) -> Answer:
    """Approve the account that the manager has set up."""

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:
        await finalize_profile(
            tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), rules=rules
        )

    return await _act(visit, "approve-account", act, done="approved")


async def correct_account(visit: Visit) -> Answer:
    """Send the account back to its manager."""

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:
        asked = decode_body(AccountCorrectionsRequest, _feedback(visit))
        await request_profile_corrections(
            tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), request=asked, rules=rules
        )

    return await _act(visit, "correct-account", act, done="corrected")


async def approve_slot(visit: Visit) -> Answer:
    """Approve the post of a slot."""
    position = visit.number("position")

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:  # noqa: ARG001 - as the others
        await finalize_slot(
            tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), position=position
        )

    return await _act(visit, f"approve-{position}", act, done="approved")


async def correct_slot(visit: Visit) -> Answer:
    """Send the post of a slot back to its manager."""
    position = visit.number("position")

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:
        await request_slot_corrections(
            tx=tx,
            actor=visit.customer,
            bundle_id=visit.id("bundle"),
            position=position,
            request=decode_body(VideoCorrectionsRequest, _feedback(visit)),
            rules=rules,
        )

    return await _act(visit, f"correct-{position}", act, done="corrected")


async def publish(visit: Visit) -> Answer:
    """Offer the bundle to the managers; dates that have gone stale move, as the API does it."""

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:
        await publish_bundle(tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"), rules=rules)

    return await _act(visit, "publish", act, done="published")


async def cancel(visit: Visit) -> Answer:
    """Cancel a bundle that nobody has begun."""

    async def act(tx: UnitOfWork, rules: OrderRules) -> None:  # noqa: ARG001 - as the others
        await cancel_own_bundle(tx=tx, actor=visit.customer, bundle_id=visit.id("bundle"))

    return await _act(visit, "cancel", act, done="cancelled")


def _feedback(visit: Visit) -> bytes:
    """Write a form of corrections as the API's body, so that one validation judges both."""
    fields = {
        name.removeprefix("fields."): value.strip()
        for name, value in visit.form.items()
        if name.startswith("fields.") and value.strip()
    }
    asked = {"comment": visit.field("comment"), **({"fields": fields} if fields else {})}
    return msgspec.json.encode(asked)


async def _act(visit: Visit, form: str, act: Act, *, done: str) -> Answer:
    """Do something on a bundle and show it again, with a confirmation or what was refused."""
    try:
        async with visit.writing(visit.workspace.id, visit.now) as tx:
            await act(tx, OrderRules.of(visit.ports.settings))
    except BundleNotFoundError:
        raise nothing_here() from None
    except ApiError as error:
        return await show_bundle(visit, Refusal.of(form, error, visit))
    return Redirect(f"{_address(visit)}?done={done}")


def _address(visit: Visit) -> str:
    return f"/console/{visit.workspace.id}/bundles/{visit.id('bundle')}"


_HERE = "/console/{workspace}"
_ONE = f"{_HERE}/bundles/{{bundle}}"
_SLOT = f"{_ONE}/slots/{{position}}"
ORDER_PAGES: Final = (
    Page("overview", "GET", _HERE, show_overview),
    Page("bundles", "GET", f"{_HERE}/bundles", show_bundles),
    Page("bundle", "GET", _ONE, show_bundle),
    Page("approve_account", "POST", f"{_ONE}/account/approve", approve_account),
    Page("correct_account", "POST", f"{_ONE}/account/correct", correct_account),
    Page("approve_slot", "POST", f"{_SLOT}/approve", approve_slot),
    Page("correct_slot", "POST", f"{_SLOT}/correct", correct_slot),
    Page("publish", "POST", f"{_ONE}/publish", publish),
    Page("cancel", "POST", f"{_ONE}/cancel", cancel),
)
