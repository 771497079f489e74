"""The page of an order that a manager holds: what is asked for, and what is to be done now."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

import msgspec

from tokportal_server.bundles.queries import get_bundle, get_profile
from tokportal_server.bundles.wire import Bundle, Profile
from tokportal_server.console import queue
from tokportal_server.console.checklist import (
    account_items,
    current_of_slot,
    slot_items,
    to_mend,
    windows_of,
)
from tokportal_server.lib.clock import real_now, wire_day
from tokportal_server.orders.locks import Row
from tokportal_server.pages.page import Answer, Refusal, Shown, Visit
from tokportal_server.pages.texts import text
from tokportal_server.videos.queries import list_slots
from tokportal_server.videos.schedule import today
from tokportal_server.videos.wire import Slot
from tokportal_server.workbench.errors import ClaimNotYoursError

# What is not for the manager yet, or not any more.
_NOT_THEIRS: Final = ("pending", "configured", "cancelled")
_MOST_SHOWN: Final = 40


async def show_work(visit: Visit, refusal: Refusal | None = None) -> Answer:
    """Show one order that the manager holds: the brief, and the forms for what is to be done.

    Raises:
        ClaimNotYoursError: they do not hold it.
    """
    workspace_id, bundle_id = visit.id("workspace"), visit.id("bundle")
    claim_row = await held_claim(visit)
    origin = visit.ports.settings.origin()
    bundle = await get_bundle(visit.conn, workspace_id, bundle_id)
    profile = None
    if bundle.account_id is not None:
        profile = await get_profile(visit.conn, workspace_id, bundle_id, base_url=origin)
    slots = [
        slot
        for slot in await list_slots(visit.conn, workspace_id, bundle_id, base_url=origin)
        if slot.status not in _NOT_THEIRS
    ]
    now = real_now() + claim_row["clock_offset"]
    waits = profile is not None and profile.status != "finalized"
    due = {slot.position for slot in slots if _is_due(slot, now, waits=waits)}
    shown, more = _shown(slots, due, visit, refusal)
    facts = {
        "bundle": bundle,
        "profile": profile,
        **_account_facts(bundle, profile),
        "slots": shown,
        "more": more,
        "due": due,
        **_slot_facts(shown),
        "windows": await windows_of(visit.conn, workspace_id, bundle_id, claim_row["timezone"]),
        "has_media": any(file.status == "ready" for slot in slots for file in slot.media),
        "claim": claim_row,
        "address": work_address(visit),
        "now": now,
        "refusal": refusal,
    }
    return Shown("work.html", facts)


def _account_facts(bundle: Bundle, profile: Profile | None) -> dict[str, Any]:
    """Give the checklists of an account, if one is to be set up."""
    if profile is None:
        return {"profile_items": [], "profile_mends": []}
    # Where the account differs from what was wanted, corrections are about what it has.
    now = {name: getattr(profile, name, None) for name in msgspec.structs.asdict(profile)}
    now |= {one.field: one.actual for one in profile.deviations}
    return {
        "profile_items": account_items(bundle, profile),
        "profile_mends": to_mend(profile.corrections, now),
    }


def _is_due(slot: Slot, now: datetime, *, waits: bool) -> bool:
    """Say whether the manager can post or mend a slot now; ``waits``: its account comes first."""
    if slot.status == "pending_corrections":
        return True
    opens = slot.target_publish_start_date
    return (
        slot.status == "accepted"
        and not waits
        and opens is not None
        and opens <= wire_day(today(now))
    )


def _turn(slot: Slot, due: AbstractSet[int]) -> tuple[int, str, int]:
    """Give the order in which slots are shown: what is due, what comes, what is done."""
    stage = 0 if slot.position in due else 1 + (slot.status != "accepted")
    return stage, slot.target_publish_start_date or "", slot.position


def _shown(
    slots: Sequence[Slot], due: AbstractSet[int], visit: Visit, refusal: Refusal | None
) -> tuple[list[Slot], int]:
    """Give the slots in their turn, and how many are left out; a phone shows no thousand."""
    ordered = sorted(slots, key=lambda slot: _turn(slot, due))
    # What was refused stands beside its form, wherever that is.
    if "all" in visit.query or refusal is not None:
        return ordered, 0
    return ordered[:_MOST_SHOWN], max(0, len(ordered) - _MOST_SHOWN)


def _slot_facts(slots: Sequence[Slot]) -> dict[str, Any]:
    """Give the checklists of posts by position, and which briefs changed after a correction."""
    return {
        "details": {slot.position: slot_items(slot) for slot in slots},
        "mends": {
            slot.position: to_mend(slot.corrections, current_of_slot(slot)) for slot in slots
        },
        "changed": {
            slot.position
            for slot in slots
            if any(
                one.resolved_at is None and one.requested_at < slot.updated_at
                for one in slot.corrections
            )
        },
    }


async def held_claim(visit: Visit) -> Row:
    """Give the claim that the page is about.

    Raises:
        ClaimNotYoursError: somebody else has it, or nobody.
    """
    ids = (visit.id("workspace"), visit.id("bundle"))
    row = await queue.held_one(visit.conn, *ids, visit.person.id)
    if row is None:
        raise ClaimNotYoursError(text("work.not_yours"))
    return row


def work_address(visit: Visit) -> str:
    """Give the address of the page of an order."""
    return f"/desk/{visit.path['workspace']}/{visit.path['bundle']}"
