"""``patchBundleVideo``: change names at any time, description and dates until the post is up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from msgspec import UNSET

from tokportal_server.http.validation import Problem, refuse
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.claims import live_claim, reckon_deadline
from tokportal_server.orders.locks import Row, find_profile, lock_bundle, lock_slots
from tokportal_server.orders.rules import OrderRules
from tokportal_server.videos.errors import VideoNotEditableError
from tokportal_server.videos.platform_rules import caption_problems
from tokportal_server.videos.queries import slot_at
from tokportal_server.videos.requests import PatchVideoRequest
from tokportal_server.videos.schedule import Calendar, lead_days, today, window_end
from tokportal_server.videos.wire import needs_description
from tokportal_server.workspaces.reference import get_platform

EDITABLE = ("pending", "configured", "published", "accepted", "pending_corrections")
PATCH = """
UPDATE slots SET name = $3, external_ref = $4, content = content || $5, target_start = $6,
       target_end = $7, date_adjusted = date_adjusted AND target_start = $6,
       overdue_at = CASE WHEN target_end = $7 THEN overdue_at END, updated_at = $8
 WHERE workspace_id = $1 AND id = $2
"""


async def patch_slot(
    *,
    tx: UnitOfWork,
    bundle_id: UUID,
    position: int,
    request: PatchVideoRequest,
    rules: OrderRules,
) -> Row:
    """Change what is given; give the slot's row as it was.

    A new window ends that the old one was missed, or that it was moved.

    Raises:
        BundleNotFoundError, VideoNotFoundError: there is no such slot.
        VideoNotEditableError: its description or dates can be changed no more.
        ValidationError, InvalidDateError, VideosPerDayError: the change breaks a rule.
    """
    bundle = await lock_bundle(tx, bundle_id)
    profile = await find_profile(tx, bundle)
    slots = await lock_slots(tx, bundle)
    await live_claim(tx, bundle)
    slot = slot_at(slots, bundle, position)
    window = _window(request)
    await _check_description(tx, bundle, slot, request)
    if request.description is not UNSET or window:
        _check_status(slot)
    if window and window != (slot["target_start"], slot["target_end"]):
        refuse(list(_end_problems(tx, window)))
        if window[0] != slot["target_start"] or slot["status"] == "pending":
            lead = lead_days(profile)
            Calendar(slots).check(
                slot["id"], window[0], now=tx.now, lead=lead, field=request.day_field
            )
    await _write(tx, slot, request, window)
    if window and bundle["status"] == "accepted":
        await reckon_deadline(tx, bundle, rules)
    return slot


def _window(request: PatchVideoRequest) -> tuple[date, date] | None:
    day, end = request.day, request.target_publish_end_date
    if day is None:
        return None
    return day, end if isinstance(end, date) else window_end(day)


async def _check_description(
    tx: UnitOfWork, bundle: Row, slot: Row, request: PatchVideoRequest
) -> None:
    if request.description is UNSET:
        return
    platform = await get_platform(tx.conn, bundle["platform"])
    problems = list(caption_problems(request.description, platform))
    if not request.description and needs_description(slot["video_type"]):
        problems.append(
            Problem("description", f"is required for video_type {slot['video_type']!r}")
        )
    refuse(problems)


def _check_status(slot: Row) -> None:
    if slot["status"] not in EDITABLE:
        raise VideoNotEditableError(
            f"Slot {slot['position']} is {slot['status']}; its description and dates can be changed"
            f" while it is {', '.join(EDITABLE)}.",
            details={"current_status": slot["status"], "allowed_from": list(EDITABLE)},
        )


def _end_problems(tx: UnitOfWork, window: tuple[date, date]) -> Iterator[Problem]:
    """A window whose first day stays may begin in the past, but it must not lie there."""
    if window[1] < today(tx.now):
        yield Problem(
            "target_publish_end_date", "lies in the past: nobody could post in such a window"
        )


async def _write(
    tx: UnitOfWork, slot: Row, request: PatchVideoRequest, window: tuple[date, date] | None
) -> None:
    start, end = window or (slot["target_start"], slot["target_end"])
    changed: dict[str, Any] = (
        {} if request.description is UNSET else {"description": request.description}
    )
    await tx.conn.execute(
        PATCH,
        tx.workspace_id,
        slot["id"],
        slot["name"] if request.name is UNSET else request.name,
        slot["external_ref"] if request.external_ref is UNSET else request.external_ref,
        changed,
        start,
        end,
        tx.now,
    )
