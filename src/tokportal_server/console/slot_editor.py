"""One slot: its contents and the form to change them, its day, its review."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypedDict
from uuid import UUID

from tokportal_server.bundles.queries import get_bundle
from tokportal_server.console.acts import (
    Act,
    bundle_address,
    console_address,
    is_writer,
    perform,
    refusal_of,
    rehearse,
    rules_of,
    slot_address,
    source_of,
)
from tokportal_server.console.bodies import body_of
from tokportal_server.console.reviewing import brief_of, feedback_of, media_paths
from tokportal_server.console.slot_forms import (
    MEDIA_FIELDS,
    changes_of,
    contents_of,
    with_upload,
)
from tokportal_server.credits.prices import current_prices
from tokportal_server.http.answers import CreditsMoved
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.errors import BundleNotFoundError, VideoNotFoundError
from tokportal_server.orders.locks import lock_bundle
from tokportal_server.pages.page import (
    Answer,
    Page,
    Refusal,
    Shown,
    Stream,
    Visit,
    nothing_here,
)
from tokportal_server.pages.stale import require_unchanged, version_of
from tokportal_server.pages.texts import text
from tokportal_server.uploads.limits import media_limits
from tokportal_server.videos.configuration import CONFIGURABLE
from tokportal_server.videos.operations.configure_slot import ConfiguredSlot, configure_slot
from tokportal_server.videos.operations.finalize_slot import finalize_slot
from tokportal_server.videos.operations.fix_download import fix_download
from tokportal_server.videos.operations.patch_slot import EDITABLE, patch_slot
from tokportal_server.videos.operations.publish_slot import LIVE_BUNDLE, publish_slot
from tokportal_server.videos.operations.request_slot_corrections import request_slot_corrections
from tokportal_server.videos.operations.reset_slot import reset_slot
from tokportal_server.videos.operations.unschedule_slot import unschedule_slot
from tokportal_server.videos.proofs.reading import find_proof, has_proof
from tokportal_server.videos.queries import get_slot
from tokportal_server.videos.requests import (
    FixVideoDownloadRequest,
    PatchVideoRequest,
    VideoCorrectionFields,
    VideoCorrectionsRequest,
)
from tokportal_server.videos.wire import ConfigureVideoRequest, Slot
from tokportal_server.workspaces.reference import get_platform

_DAY: Final = "target_publish_date"
_CALENDAR_VIEW: Final = re.compile(r"[a-z0-9=&-]{1,120}")


class _What(TypedDict):
    """Who does something, to which slot."""

    actor: Actor
    bundle_id: UUID
    position: int


async def show_slot(
    visit: Visit, refusal: Refusal | None = None, *, price: CreditsMoved | None = None
) -> Answer:
    """Show one slot: what it holds, what is being done with it, and the forms that fit.

    Raises:
        PageNotFoundError: the workspace has no such slot.
    """
    try:
        bundle = await get_bundle(visit.conn, visit.workspace.id, visit.id("bundle"))
        slot = await _slot(visit)
    except (BundleNotFoundError, VideoNotFoundError):
        raise nothing_here() from None
    platform = await get_platform(visit.conn, bundle.platform)
    contents, changes = contents_of(slot, bundle.platform), changes_of(slot)
    facts = {
        "bundle": bundle,
        "slot": slot,
        "platform": platform,
        "prices": await current_prices(visit.conn, visit.workspace.id),
        "limits": media_limits(visit.ports.settings),
        "values": with_upload(contents, visit),
        "changes": changes,
        "versions": {
            "slot": version_of(contents),
            "change": version_of(changes),
            "move": version_of({_DAY: contents[_DAY]}),
        },
        "type_options": [(one, text(f"video_type.{one}")) for one in platform.video_types],
        "media_fields": MEDIA_FIELDS,
        "previews": [(one, _path(visit, one.url)) for one in slot.media],
        "evidence": media_paths(visit, [slot.evidence_url])[:1],
        "details": brief_of(slot),
        "proven": await has_proof(visit.conn, visit.workspace.id, slot.id),
        "slot_fields": VideoCorrectionFields.__struct_fields__,
        "configurable": slot.status in CONFIGURABLE,
        "editable": slot.status in EDITABLE,
        "live": bundle.status in LIVE_BUNDLE,
        "writer": is_writer(visit),
        "root": bundle_address(visit),
        "address": slot_address(visit),
        "now": visit.now,
        "price": price,
        "refusal": refusal,
    }
    return Shown("slot.html", facts)


async def download_proof(visit: Visit) -> Answer:
    """Give the proof of a slot as a file, which checks without this server.

    Raises:
        PageNotFoundError: there is no such slot, or it has no proof.
    """
    try:
        slot = await _slot(visit)
    except (BundleNotFoundError, VideoNotFoundError):
        raise nothing_here() from None
    proof = await find_proof(visit.conn, visit.workspace.id, slot.id)
    if proof is None:
        raise nothing_here()
    return Stream.of(proof, "application/json", f"proof-{slot.bundle_id}-{slot.position}.json")


def _path(visit: Visit, address: str) -> str | None:
    return next(iter(media_paths(visit, [address])), None)


async def _slot(visit: Visit) -> Slot:
    return await get_slot(
        visit.conn,
        visit.workspace.id,
        visit.id("bundle"),
        visit.number("position"),
        base_url=visit.ports.settings.origin(),
    )


def _require_unchanged(visit: Visit, names: Mapping[str, str]) -> None:
    """Refuse a form that was made from other contents; the bundle's lock keeps them as they are.

    What the form does not have it does not change.

    Raises:
        StaleEditError: somebody has changed them since.
    """
    require_unchanged(visit.form, {name: now for name, now in names.items() if name in visit.form})


def _configuring(visit: Visit) -> tuple[Act, list[ConfiguredSlot]]:
    """Give the act that configures the slot as the form says, and where it leaves the outcome."""
    done: list[ConfiguredSlot] = []

    async def act(tx: UnitOfWork) -> None:
        bundle = await lock_bundle(tx, visit.id("bundle"))
        slot = await _slot(visit)
        _require_unchanged(visit, contents_of(slot, bundle["platform"]))
        request = decode_body(ConfigureVideoRequest, body_of(ConfigureVideoRequest, visit.form))
        configured = await configure_slot(
            tx=tx,
            actor=visit.customer,
            bundle_id=slot.bundle_id,
            position=slot.position,
            request=request,
            source=source_of(visit),
            rules=rules_of(visit),
        )
        done.append(configured)

    return act, done


async def configure(visit: Visit) -> Answer:
    """Replace what the slot holds; paid options are charged the first time that they are used."""
    act, done = _configuring(visit)

    def then() -> str:
        left = "saved_unpublished" if done[0].refusal else "saved"
        return f"{slot_address(visit)}?done={left}"

    return await perform(visit, "slot", act, again=show_slot, then=then)


async def price_configuration(visit: Visit) -> Answer:
    """Say what the options of the form would cost, by doing it all as a dry run."""
    act, done = _configuring(visit)
    try:
        await rehearse(visit, act)
    except ApiError as error:
        return await show_slot(visit, refusal_of("slot", error, visit))
    return await show_slot(visit, Refusal("slot", "", 200, {}, visit.form), price=done[0].credits)


async def change(visit: Visit) -> Answer:
    """Change names, caption or days of a slot that is not configured anew."""
    return await _patch(visit, "change", done="saved")


async def move(visit: Visit) -> Answer:
    """Move the slot to another day; from the calendar, show that again."""
    return await _patch(visit, "move", done="moved")


async def _patch(visit: Visit, form: str, *, done: str) -> Answer:
    async def act(tx: UnitOfWork) -> None:
        await lock_bundle(tx, visit.id("bundle"))
        slot = await _slot(visit)
        now = {**changes_of(slot), _DAY: slot.target_publish_start_date or ""}
        _require_unchanged(visit, now)
        request = decode_body(
            PatchVideoRequest, body_of(PatchVideoRequest, visit.form, clears=True)
        )
        await patch_slot(
            tx=tx,
            bundle_id=slot.bundle_id,
            position=slot.position,
            request=request,
            rules=rules_of(visit),
        )

    view = visit.field("calendar")
    if _CALENDAR_VIEW.fullmatch(view):
        then = f"{console_address(visit)}/calendar?{view}&done={done}"
    else:
        then = f"{slot_address(visit)}?done={done}"
    return await perform(visit, form, act, again=show_slot, then=then)


async def publish(visit: Visit) -> Answer:
    """Offer the slot to the manager; a date that has gone stale moves, as the API does it."""

    async def act(tx: UnitOfWork) -> None:
        await publish_slot(tx=tx, rules=rules_of(visit), **_what(visit))

    return await _act(visit, "publish", act, done="slots_published")


async def unschedule(visit: Visit) -> Answer:
    """Take the slot back as long as no manager has accepted it; it keeps what it holds."""

    async def act(tx: UnitOfWork) -> None:
        await unschedule_slot(tx=tx, **_what(visit))

    return await _act(visit, "unschedule", act, done="unscheduled")


async def reset(visit: Visit) -> Answer:
    """Empty the slot; options that were bought stay its own."""

    async def act(tx: UnitOfWork) -> None:
        await reset_slot(tx=tx, source=source_of(visit), **_what(visit))

    return await _act(visit, "reset", act, done="emptied")


async def fix(visit: Visit) -> Answer:
    """Give the manager other media in place of those that could not be used."""

    async def act(tx: UnitOfWork) -> None:
        await fix_download(
            tx=tx,
            bundle_id=visit.id("bundle"),
            position=visit.number("position"),
            request=decode_body(
                FixVideoDownloadRequest, body_of(FixVideoDownloadRequest, visit.form)
            ),
            source=source_of(visit),
        )

    return await _act(visit, "fix", act, done="saved")


async def approve(visit: Visit) -> Answer:
    """Approve the post of the slot."""

    async def act(tx: UnitOfWork) -> None:
        await finalize_slot(tx=tx, **_what(visit))

    return await _act(visit, f"approve-{visit.number('position')}", act, done="approved")


async def correct(visit: Visit) -> Answer:
    """Send the post of the slot back to its manager."""

    async def act(tx: UnitOfWork) -> None:
        request = decode_body(VideoCorrectionsRequest, feedback_of(visit))
        await request_slot_corrections(
            tx=tx, request=request, rules=rules_of(visit), **_what(visit)
        )

    return await _act(visit, f"correct-{visit.number('position')}", act, done="corrected")


def _what(visit: Visit) -> _What:
    return {
        "actor": visit.customer,
        "bundle_id": visit.id("bundle"),
        "position": visit.number("position"),
    }


async def _act(visit: Visit, form: str, act: Act, *, done: str) -> Answer:
    then = f"{slot_address(visit)}?done={done}"
    return await perform(visit, form, act, again=show_slot, then=then)


_ONE = "/console/{workspace}/bundles/{bundle}/slots/{position}"
SLOT_PAGES: Final = (
    Page("slot", "GET", _ONE, show_slot),
    Page("slot_proof", "GET", f"{_ONE}/proof", download_proof),
    Page("configure_slot", "POST", _ONE, configure),
    Page("price_slot", "POST", f"{_ONE}/price", price_configuration),
    Page("change_slot", "POST", f"{_ONE}/change", change),
    Page("move_slot", "POST", f"{_ONE}/day", move),
    Page("publish_slot", "POST", f"{_ONE}/publish", publish),
    Page("unschedule_slot", "POST", f"{_ONE}/unschedule", unschedule),
    Page("reset_slot", "POST", f"{_ONE}/reset", reset),
    Page("fix_slot", "POST", f"{_ONE}/fix", fix),
    Page("approve_slot", "POST", f"{_ONE}/approve", approve),
    Page("correct_slot", "POST", f"{_ONE}/correct", correct),
)
