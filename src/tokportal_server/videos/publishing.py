"""Publishing configured slots: dates made fresh, media waited for, one rule for all callers.

publishBundle, publishBundleVideo, auto_publish and the arrival of fetched media come through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import Day, wire_day
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.announce import about_slot
from tokportal_server.orders.claims import reckon_deadline
from tokportal_server.orders.door import move_all
from tokportal_server.orders.locks import Row, find_profile, lock_slots
from tokportal_server.orders.publishing_pause import check_not_paused
from tokportal_server.orders.rules import OrderRules
from tokportal_server.orders.states import SLOT
from tokportal_server.videos.errors import StaleDatesError
from tokportal_server.videos.schedule import Calendar, lead_days, today
from tokportal_server.videos.workable import make_workable, reschedule

StaleDates = Literal["move", "reject"]

WAIT_FOR_MEDIA = """
UPDATE slots SET publish_when_ready = true, updated_at = $3
 WHERE workspace_id = $1 AND id = ANY ($2::uuid[])
"""


class MediaFailedError(ApiError):
    """A slot's media could not be fetched; configuring it again with other media mends it."""

    code = "MEDIA_FAILED"
    status = 409
    remedy = (
        "You: configure the slot again with media that can be fetched; `media_error` of the"
        " slot says what failed."
    )


class AdjustedVideo(msgspec.Struct, frozen=True):
    """A slot whose stale date was moved by publishing it."""

    video_id: UUID
    position: int
    previous_date: Day
    new_date: Day


@dataclass(slots=True)
class Published:
    """What publishing did: ids of slots published, of slots that wait for media, moved dates."""

    published: list[UUID] = field(default_factory=list)
    waiting: list[UUID] = field(default_factory=list)
    adjusted: list[AdjustedVideo] = field(default_factory=list)


def stale_slots(slots: Sequence[Row], *, earliest: date) -> list[Row]:
    """Give the configured slots whose date has come too close, by date and position."""
    stale = [s for s in slots if s["status"] == "configured" and s["target_start"] < earliest]
    return sorted(stale, key=lambda s: (s["target_start"], s["position"]))


async def publish_slots(
    tx: UnitOfWork,
    bundle: Row,
    chosen: Sequence[UUID],
    *,
    actor: Actor,
    rules: OrderRules,
    stale_dates: StaleDates = "move",
) -> Published:
    """Publish the ``chosen`` configured slots of a locked bundle that is published or accepted.

    On an accepted bundle they go on to accepted at once.

    Raises:
        PublishingPausedError: the operator has stopped publishing.
        MediaFailedError: the media of one of them could not be fetched.
        StaleDatesError: a date has gone stale, and ``stale_dates`` is ``reject``.
    """
    await check_not_paused(tx, bundle)
    result = Published()
    wanted = frozenset(chosen)
    slots = await lock_slots(tx, bundle)
    earliest = today(tx.now) + timedelta(days=lead_days(await find_profile(tx, bundle)))
    stale = stale_slots([s for s in slots if s["id"] in wanted], earliest=earliest)
    if stale and stale_dates == "reject":
        raise _stale(stale, earliest)
    ready = _ready(slots, wanted, result)
    if result.waiting:
        await tx.conn.execute(WAIT_FOR_MEDIA, tx.workspace_id, result.waiting, tx.now)
    fresh = {slot["id"]: slot for slot in ready}
    calendar = Calendar(slots)
    # A slot that waits for its media gets its day when they have come.
    for slot in (s for s in stale if s["id"] in fresh):
        day = calendar.earliest_free(slot["id"], at_least=earliest)
        calendar.place(slot["id"], day)
        fresh[slot["id"]] = await reschedule(tx, bundle, slot, day)
        result.adjusted.append(
            AdjustedVideo(
                slot["id"], slot["position"], wire_day(slot["target_start"]), wire_day(day)
            )
        )
    await _publish(tx, bundle, list(fresh.values()), actor)
    result.published += fresh
    if bundle["status"] == "accepted":
        await make_workable(tx, bundle)
        await reckon_deadline(tx, bundle, rules)
    return result


def _ready(slots: Sequence[Row], chosen: frozenset[UUID], result: Published) -> list[Row]:
    """Sort the chosen slots by their media: ready now, still being fetched, failed."""
    ready = []
    for slot in slots:
        if slot["id"] not in chosen:
            continue
        if slot["media_status"] == "failed":
            raise MediaFailedError(
                f"Slot {slot['position']}: its media could not be fetched. Configure it again with"
                f" other media (PUT /bundles/{slot['bundle_id']}/videos/{slot['position']}).",
                details={"position": slot["position"], "media_error": slot["media_error"]},
            )
        if slot["media_status"] == "fetching":
            result.waiting.append(slot["id"])
        else:
            ready.append(slot)
    return ready


async def _publish(tx: UnitOfWork, bundle: Row, configured: Sequence[Row], actor: Actor) -> None:
    def data(slot: Row) -> Mapping[str, Any]:
        return about_slot(bundle, slot)

    published = await move_all(
        tx,
        SLOT,
        configured,
        "published",
        actor=actor,
        data=data,
        published_at=tx.now,
        publish_when_ready=False,
        updated_at=tx.now,
    )
    if bundle["status"] == "accepted":
        await move_all(tx, SLOT, published, "accepted", actor=actor, data=data, accepted_at=tx.now)


def _stale(stale: Sequence[Row], earliest: date) -> StaleDatesError:
    positions = [slot["position"] for slot in stale]
    return StaleDatesError(
        f"The dates of slots {positions} have gone stale: the earliest possible day is {earliest}."
        " Give them new dates, or leave X-TokPortal-Stale-Dates out to have them moved.",
        details={"positions": positions, "earliest_allowed": wire_day(earliest)},
    )
