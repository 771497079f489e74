"""What a review needs, of an account or of a post: what was asked, what came, and an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tokportal_server.console.slot_forms import MEDIA_FIELDS
from tokportal_server.pages.page import Visit
from tokportal_server.pages.texts import text, text_or
from tokportal_server.uploads.media import public_url
from tokportal_server.videos.wire import Slot, SlotContent


def feedback_of(visit: Visit) -> bytes:
    """Write a form of corrections as the API's body, so that one validation judges both."""
    fields = {
        name.removeprefix("fields."): value.strip()
        for name, value in visit.form.items()
        if name.startswith("fields.") and value.strip()
    }
    asked = {"comment": visit.field("comment"), **({"fields": fields} if fields else {})}
    return msgspec.json.encode(asked)


def waits_for_customer(slot: Slot) -> bool:
    """Say whether a slot needs its customer now: a review, other media, another download."""
    lost = slot.media_status == "failed" and slot.status not in ("finalized", "cancelled")
    unusable = slot.download_issue is not None and slot.status in (
        "accepted",
        "pending_corrections",
    )
    return slot.status == "in_review" or lost or unusable


def brief_of(slot: Slot) -> list[tuple[str, str]]:
    """Give what a slot asks for beside its files, as names of fields and texts."""
    asked = [("video_type", text(f"video_type.{slot.video_type}"))] if slot.video_type else []
    for name in SlotContent.__struct_fields__:
        value: Any = getattr(slot, name)
        if name in MEDIA_FIELDS or value is None or value == []:
            continue
        asked.append((name, _told(name, value)))
    return asked


def _told(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return text("answer.yes" if value else "answer.no")
    if isinstance(value, list):
        return ", ".join(value)
    kind = name == "instagram_content_type"
    return text_or(f"content_type.{value}", str(value)) if kind else str(value)


def media_paths(visit: Visit, addresses: Iterable[str | None]) -> list[str]:
    """Give the paths of those addresses that are files of this server.

    Pages show only what is ours, and by its path: whoever reaches the page reaches the file.
    """
    ours = public_url(visit.ports.settings.origin(), "")
    return [urlsplit(one).path for one in addresses if one and one.startswith(ours)]
