"""The forms of a slot: which fields they have on a platform, and what these hold now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokportal_server.pages.page import Visit
from tokportal_server.pages.stale import as_typed
from tokportal_server.videos.operations.patch_slot import EDITABLE
from tokportal_server.videos.wire import INSTAGRAM_ONLY, ConfigureVideoRequest, Slot

# What a customer chooses anew each time, so that it is no content that somebody else could change.
_CHOICES: Final = ("auto_publish",)
# Answers that may be yes, no, or none at all.
_ANSWERS: Final = ("ai_content_disclaimer", "disclose_as_ads")
# The fields that name a file of the slot, in which an upload leaves its path.
MEDIA_FIELDS: Final = ("video_url", "carousel_images", "story_image_url")


def fields_on(platform: str) -> list[str]:
    """Give the fields that the form of a slot has on a platform."""
    closed = ("tiktok_sound_url",) if platform == "instagram" else INSTAGRAM_ONLY
    names = ConfigureVideoRequest.__struct_fields__
    return [name for name in names if name not in closed and name not in _CHOICES]


def contents_of(slot: Slot, platform: str) -> dict[str, str]:
    """Give what each field of the form holds for a slot."""
    return {name: _typed(slot, name) for name in fields_on(platform)}


def _typed(slot: Slot, name: str) -> str:
    if name == "target_publish_date":
        return slot.target_publish_start_date or ""
    value: Any = getattr(slot, name)
    if name in _ANSWERS and value is False:
        return "false"
    return as_typed(value)


def changes_of(slot: Slot) -> dict[str, str]:
    """Give what the form of small changes holds: names always, caption and days while they may."""
    names = {"name": slot.name or "", "external_ref": slot.external_ref or ""}
    if slot.status not in EDITABLE:
        return names
    return {
        **names,
        "description": slot.description or "",
        "target_publish_start_date": slot.target_publish_start_date or "",
        "target_publish_end_date": slot.target_publish_end_date or "",
    }


def with_upload(values: Mapping[str, str], visit: Visit) -> dict[str, str]:
    """Put the file that the address names into its field: without scripts it arrives there."""
    into, path = visit.query.get("into", ""), visit.query.get("file", "")[:300]
    if into not in MEDIA_FIELDS or into not in values or not path:
        return dict(values)
    kept = values[into] if into == "carousel_images" else ""
    return {**values, into: f"{kept}\n{path}".strip()}
