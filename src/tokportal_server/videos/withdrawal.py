"""Taking a slot back from those that managers are offered: the rule of reset and unschedule."""

from __future__ import annotations

from collections.abc import Sequence

from tokportal_server.orders.errors import slot_transition_refused
from tokportal_server.orders.locks import Row
from tokportal_server.orders.states import OPEN_STATUSES
from tokportal_server.videos.errors import LastPublishedVideoError


def check_withdrawal(
    bundle: Row, slots: Sequence[Row], slot: Row, target: str, *, allowed_from: Sequence[str]
) -> None:
    """Refuse to take back what is being worked on, or the last thing that an order offers.

    Raises:
        SlotTransitionError: the slot is in none of ``allowed_from``.
        LastPublishedVideoError: it is the last published one of an unclaimed videos_only bundle.
    """
    if slot["status"] not in allowed_from:
        raise slot_transition_refused(slot, target, allowed_from=allowed_from)
    published = sum(1 for other in slots if other["status"] == "published")
    if (
        bundle["bundle_type"] == "videos_only"
        and bundle["status"] in OPEN_STATUSES
        and slot["status"] == "published"
        and published == 1
    ):
        raise LastPublishedVideoError(
            f"Slot {slot['position']} is the last published slot of bundle {bundle['id']}, which"
            " managers are offered for its videos alone. Publish another slot first, or unpublish"
            f" the bundle (POST /bundles/{bundle['id']}/unpublish).",
            details={"position": slot["position"], "current_status": slot["status"]},
        )
