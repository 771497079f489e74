"""Configuring slots of one bundle: the rules of contract section 7, for one slot or a thousand.

1. :meth:`Configuration.begin` locks and reads once what the rules need, and finds the media.
2. :meth:`Configuration.prepare` judges a slot in memory, so that a batch needs no savepoint for
   each of its items. A slot that passes takes its day and its edit slot from those that follow.
3. :meth:`Configuration.link` replaces the media, :meth:`Configuration.buy` pays for options (in
   this order, because the wallet is locked last), :meth:`Configuration.write` replaces what the
   slots hold, and :meth:`Configuration.publish` publishes those that ask for it. Each of them is
   a few statements, however many slots there are; buying is one for each option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

import msgspec

from tokportal_server.credits.prices import Prices, current_prices
from tokportal_server.http.validation import refuse
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.claims import live_claim
from tokportal_server.orders.door import move_all
from tokportal_server.orders.errors import VideoStatusError
from tokportal_server.orders.locks import Row, find_profile, lock_bundle, lock_slots
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import SLOT
from tokportal_server.uploads.source import MediaSource
from tokportal_server.uploads.wire import MediaError
from tokportal_server.videos.errors import NoEditSlotsError
from tokportal_server.videos.media_links import SlotMedia, find_slot_media, replace_slot_media
from tokportal_server.videos.options import (
    BoughtOption,
    bought_options,
    buy_options,
    options_of,
    record_options,
)
from tokportal_server.videos.platform_rules import platform_problems
from tokportal_server.videos.publishing import Published, StaleDates, publish_slots
from tokportal_server.videos.queries import slot_at
from tokportal_server.videos.schedule import Calendar, lead_days, window_end
from tokportal_server.videos.wire import ConfigureVideoRequest, SlotContent
from tokportal_server.workspaces.reference import get_platform
from tokportal_server.workspaces.wire import Platform

CONFIGURABLE = ("pending", "configured", "pending_corrections")
_WAYS_BACK = {
    "published": "Unschedule or reset it first.",
    "accepted": "Its manager works with it: PATCH can change its description and dates.",
    "in_review": "Its post is there: ask for corrections of it, or finalize it.",
}
_NO_WAY_BACK = "It is closed; add a slot (POST /bundles/{id}/add-video-slots) for another video."
# What is new ends what was said of the old: a failed fetch, a manager's report, a moved date.
REPLACE = """
UPDATE slots AS s
   SET content = r.content, video_type = r.video_type, name = r.name,
       external_ref = r.external_ref, target_start = r.target_start, target_end = r.target_end,
       uses_edit_slot = r.uses_edit_slot, publish_when_ready = r.publish_when_ready,
       media_status = r.media_status, media_error = NULL, download_issue = NULL,
       date_adjusted = s.date_adjusted AND s.target_start = r.target_start
                       AND s.status <> 'pending',
       updated_at = $3
  FROM jsonb_to_recordset($2::jsonb)
       AS r(id uuid, content jsonb, video_type text, name text, external_ref text,
            target_start date, target_end date, uses_edit_slot boolean,
            publish_when_ready boolean, media_status text)
 WHERE s.workspace_id = $1 AND s.id = r.id
"""


@dataclass(slots=True)
class Prepared:
    """A slot that passed the rules, with its media; ``missing`` are options to be bought."""

    slot: Row
    request: ConfigureVideoRequest
    media: SlotMedia
    uses_edit: bool
    missing: list[str]

    @property
    def slot_id(self) -> UUID:
        """The slot's id."""
        found: UUID = self.slot["id"]
        return found

    @property
    def position(self) -> int:
        """The slot's position."""
        return int(self.slot["position"])


@dataclass(slots=True)
class AutoPublished:
    """How publishing of freshly configured slots ended; ``refusals`` are by slot."""

    published: Published = field(default_factory=Published)
    refusals: dict[UUID, MediaError] = field(default_factory=dict)


@dataclass(slots=True)
class Configuration:
    """A locked bundle whose slots are being configured; made by :meth:`begin`."""

    tx: UnitOfWork
    actor: Actor
    bundle: Row
    profile: Row | None
    slots: Sequence[Row]
    platform: Platform
    prices: Prices
    options: dict[UUID, set[str]]
    calendar: Calendar
    edited: set[UUID]
    media: dict[int, SlotMedia | ApiError]
    bought: list[BoughtOption] = field(default_factory=list)

    @classmethod
    async def begin(
        cls,
        tx: UnitOfWork,
        bundle_id: UUID,
        *,
        actor: Actor,
        wanted: Mapping[int, ConfigureVideoRequest],
        source: MediaSource,
    ) -> Self:
        """Lock and read everything that configuring and publishing may need, before the wallet.

        ``wanted`` are the requests that will be prepared, by position.

        Raises:
            BundleNotFoundError: the workspace has no such bundle.
        """
        bundle = await lock_bundle(tx, bundle_id)
        profile = await find_profile(tx, bundle)
        slots = await lock_slots(tx, bundle)
        await live_claim(tx, bundle)
        there = [position for position in wanted if 1 <= position <= len(slots)]
        contents = [(slot_at(slots, bundle, p), wanted[p]) for p in there]
        media = await find_slot_media(tx, contents, source)
        return cls(
            tx=tx,
            actor=actor,
            bundle=bundle,
            profile=profile,
            slots=slots,
            platform=await get_platform(tx.conn, bundle["platform"]),
            prices=await current_prices(tx.conn, tx.workspace_id),
            options=await bought_options(tx, [slot["id"] for slot in slots]),
            calendar=Calendar(slots),
            edited={slot["id"] for slot in slots if slot["uses_edit_slot"]},
            media=dict(zip(there, media, strict=True)),
        )

    def prepare(self, position: int, request: ConfigureVideoRequest) -> Prepared:
        """Judge what a slot is to hold; nothing is written.

        Raises:
            VideoNotFoundError: the bundle has no such slot.
            VideoStatusError: the slot is past configuring.
            ValidationError, InvalidDateError, VideosPerDayError, NoEditSlotsError,
            MediaNotFoundError: the request breaks a rule.
        """
        slot = slot_at(self.slots, self.bundle, position)
        self._check(slot, request)
        edited = self._uses_edit_slot(slot, request)
        media = self.media[position]
        if isinstance(media, ApiError):
            raise media
        self.calendar.place(slot["id"], request.target_publish_date)
        (self.edited.add if edited else self.edited.discard)(slot["id"])
        bought = self.options.get(slot["id"], ())
        missing = [name for name in options_of(request) if name not in bought]
        return Prepared(slot, request, media, edited, missing)

    async def link(self, prepared: Sequence[Prepared]) -> None:
        """Replace the media of prepared slots."""
        if prepared:
            await replace_slot_media(self.tx, self.bundle["id"], [s.media for s in prepared])

    async def buy(self, prepared: Prepared) -> Mapping[str, int]:
        """Buy the options that a slot does not have yet; give what each cost.

        Raises:
            InsufficientCreditsError: too few credits for all of them, and none was bought. The
                slot's media stay replaced until the caller rolls back.
        """
        # Of several options the first may be paid before the second turns out too dear.
        async with self.tx.savepoint() if len(prepared.missing) > 1 else nullcontext():
            bought = await buy_options(
                self.tx, prepared.slot, prepared.missing, self.actor, prices=self.prices
            )
        self.bought += bought
        return {option.name: option.price for option in bought}

    async def write(self, prepared: Sequence[Prepared]) -> None:
        """Replace what prepared slots hold; the pending ones become configured."""
        if not prepared:
            return
        await record_options(self.tx, self.bought)
        rows = [self._columns(slot) for slot in prepared]
        await self.tx.conn.execute(REPLACE, self.tx.workspace_id, rows, self.tx.now)
        references = {slot.slot_id: slot.request.external_ref for slot in prepared}
        await move_all(
            self.tx,
            SLOT,
            [slot.slot for slot in prepared if slot.slot["status"] == "pending"],
            "configured",
            actor=self.actor,
            data=lambda row: about_slot(self.bundle, row, external_ref=references[row["id"]]),
        )

    def _columns(self, prepared: Prepared) -> dict[str, Any]:
        request = prepared.request
        content = msgspec.convert(request, SlotContent, from_attributes=True)
        return {
            "id": prepared.slot_id,
            "content": msgspec.to_builtins(content),
            "video_type": request.video_type,
            "name": request.name,
            "external_ref": request.external_ref,
            "target_start": request.target_publish_date,
            "target_end": window_end(request.target_publish_date),
            "uses_edit_slot": prepared.uses_edit,
            "publish_when_ready": self.bundle["status"] == "pending_setup"
            and bool(request.auto_publish),
            "media_status": prepared.media.status,
        }

    async def publish(
        self,
        prepared: Sequence[Prepared],
        *,
        rules: OrderRules,
        stale_dates: StaleDates,
    ) -> AutoPublished:
        """Publish those of the slots that ask for it; a refusal leaves a slot configured."""
        result = AutoPublished()
        chosen = [slot for slot in prepared if self._publishes(slot)]
        while chosen:
            try:
                async with self.tx.savepoint():
                    result.published = await publish_slots(
                        self.tx,
                        self.bundle,
                        [slot.slot_id for slot in chosen],
                        actor=self.actor,
                        rules=rules,
                        stale_dates=stale_dates,
                    )
            except ApiError as error:
                # The stale ones are named: without them the others can be published.
                named = set(error.details.get("positions") or [slot.position for slot in chosen])
                refusal = MediaError(error.code, error.message)
                for slot in chosen:
                    if slot.position in named:
                        result.refusals[slot.slot_id] = refusal
                chosen = [slot for slot in chosen if slot.position not in named]
            else:
                break
        return result

    def _check(self, slot: Row, request: ConfigureVideoRequest) -> None:
        refuse(list(platform_problems(request, self.platform)))
        if slot["status"] not in CONFIGURABLE:
            raise VideoStatusError(
                f"Slot {slot['position']} is {slot['status']}; it can be configured while it is"
                f" {', '.join(CONFIGURABLE)}. {_WAYS_BACK.get(slot['status'], _NO_WAY_BACK)}",
                details={"current_status": slot["status"], "allowed_from": list(CONFIGURABLE)},
            )
        # A date that stays as it is was accepted before; corrections come back long after it.
        if slot["status"] == "pending" or request.target_publish_date != slot["target_start"]:
            self.calendar.check(
                slot["id"],
                request.target_publish_date,
                now=self.tx.now,
                lead=lead_days(self.profile),
            )

    def _uses_edit_slot(self, slot: Row, request: ConfigureVideoRequest) -> bool:
        """Say whether the slot takes one of the bundle's edit slots; in corrections it keeps its.

        Raises:
            NoEditSlotsError: the others have them all.
        """
        if not request.editing_instructions:
            return bool(slot["uses_edit_slot"]) and slot["status"] == "pending_corrections"
        quantity = self.bundle["edits_quantity"]
        if len(self.edited - {slot["id"]}) >= quantity:
            raise NoEditSlotsError(
                f"editing_instructions: all {quantity} edit slots of the bundle are in use. Add one"
                f" (POST /bundles/{self.bundle['id']}/add-edit-slots) or leave it out.",
                details={
                    "field": "editing_instructions",
                    "edits_quantity": quantity,
                    "edits_remaining": 0,
                },
            )
        return True

    def _publishes(self, prepared: Prepared) -> bool:
        """Say whether auto_publish publishes now; a bundle being set up is never published by it.

        In corrections the slot keeps its status, and the manager works on: there is nothing to
        publish.
        """
        return (
            bool(prepared.request.auto_publish)
            and self.bundle["status"] != "pending_setup"
            and prepared.slot["status"] != "pending_corrections"
        )
