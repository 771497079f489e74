"""What a manager goes through for an account or a post: everything that was asked for, in order.

Disclosures are told also when they are not wanted: nobody has to guess whether one was forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tokportal_server.bundles.wire import Bundle, Profile
from tokportal_server.lib.db import Connection
from tokportal_server.pages.texts import text, text_or
from tokportal_server.videos.wire import Slot

# Windows are whole days in UTC (contract section 7); $3 is where the account lives.
WINDOWS = """
SELECT position, target_start::timestamp AT TIME ZONE 'UTC' AS opens,
       (target_end + 1)::timestamp AT TIME ZONE 'UTC' AS closes,
       target_start::timestamp AT TIME ZONE 'UTC' AT TIME ZONE $3 AS local_opens,
       (target_end + 1)::timestamp AT TIME ZONE 'UTC' AT TIME ZONE $3 AS local_closes
  FROM slots
 WHERE workspace_id = $1 AND bundle_id = $2 AND target_start IS NOT NULL
"""
_DISCLOSURES: Final = ("ai_content_disclaimer", "disclose_as_ads")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do: ``name`` is a field's, ``value`` what it is to be.

    ``copied`` is a text to take over word for word; other values are for reading only.
    """

    name: str
    value: str
    copied: bool = False

    @property
    def digest(self) -> str:
        """Give what a tick is kept under: of another value, it is not done yet."""
        return hashlib.sha256(f"{self.name} {self.value}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Window:
    """When a post goes up, between two instants; the local ones are where the account lives."""

    opens: datetime
    closes: datetime
    local_opens: datetime
    local_closes: datetime

    @property
    def in_utc(self) -> str:
        """Write the window for people, on the clock of the server."""
        return _span(self.opens, self.closes)

    @property
    def there(self) -> str:
        """Write the window for people, on the clock of the account's country."""
        return _span(self.local_opens, self.local_closes)


@dataclass(frozen=True, slots=True)
class Correction:
    """A field that is to be mended: what the brief or the account has, and what is wanted."""

    name: str
    now: str
    wanted: str


def _span(opens: datetime, closes: datetime) -> str:
    return text("check.span", opens=_moment(opens), closes=_moment(closes, is_end=True))


def _moment(at: datetime, *, is_end: bool = False) -> str:
    """Write a time; midnight at the end of a day belongs to that day."""
    if is_end and (at.hour, at.minute) == (0, 0):
        before = at - timedelta(days=1)
        return f"{before:%a} {before.day} {before:%b}, 24:00"
    return f"{at:%a} {at.day} {at:%b}, {at:%H:%M}"


async def windows_of(
    conn: Connection, workspace_id: UUID, bundle_id: UUID, timezone: str
) -> dict[int, Window]:
    """Give the windows of a bundle's slots by position."""
    rows = await conn.fetch(WINDOWS, workspace_id, bundle_id, timezone)
    return {
        row["position"]: Window(
            row["opens"], row["closes"], row["local_opens"], row["local_closes"]
        )
        for row in rows
    }


def account_items(bundle: Bundle, profile: Profile) -> list[Item]:
    """Give what an account is to be set up with."""
    texts = (
        "username",
        "visible_name",
        "biography",
        "link_in_bio",
        "niche_warming_instructions",
    )
    items = [
        Item(name, value, copied=True) for name in texts if (value := getattr(profile, name, None))
    ]
    ordered = ("wants_niche_warming", "wants_deep_warming", "wants_moderation")
    items += [Item(name, text("check.ordered")) for name in ordered if getattr(bundle, name)]
    if bundle.moderation_notice:
        items.append(Item("moderation_notice", bundle.moderation_notice, copied=True))
    return items


def slot_items(slot: Slot) -> list[Item]:
    """Give what a post is to be made of beside its media, in the order of making it."""
    return [
        *_texts(slot, "editing_instructions"),
        *_post_as(slot),
        *_texts(slot, "carousel_title", "description"),
        *_sound(slot),
        *_texts(slot, "instagram_location"),
        *(
            Item("instagram_collaborators", name, copied=True)
            for name in slot.instagram_collaborators or ()
        ),
        *_texts(slot, "story_repost_url"),
        *_switched_on(slot, "instagram_add_to_story", "instant_repost_as_story"),
        *(Item(name, _switch(value=bool(getattr(slot, name)))) for name in _DISCLOSURES),
    ]


def _texts(slot: Slot, *names: str) -> Iterator[Item]:
    for name in names:
        if value := getattr(slot, name):
            yield Item(name, value, copied=True)


def _post_as(slot: Slot) -> Iterator[Item]:
    if kind := slot.instagram_content_type:
        yield Item("instagram_content_type", text_or(f"content_type.{kind}", kind))


def _sound(slot: Slot) -> Iterator[Item]:
    named = [*_texts(slot, "tiktok_sound_url", "instagram_audio_name")]
    yield from named
    for name in ("volume_original_sound", "volume_added_sound"):
        if (percent := getattr(slot, name)) is not None:
            yield Item(name, str(percent))
    if not named and slot.video_type == "video":
        yield Item("sound", text("check.own_sound"))


def _switched_on(slot: Slot, *names: str) -> Iterator[Item]:
    for name in names:
        if getattr(slot, name) is not None:
            yield Item(name, _switch(value=getattr(slot, name)))


def _switch(*, value: bool) -> str:
    return text("check.on" if value else "check.off")


def to_mend(
    rounds: Sequence[Any], current: Mapping[str, Any]
) -> list[tuple[Any, list[Correction]]]:
    """Give the rounds of corrections that are open, each with its fields.

    ``current`` is what the account or the brief has by the names of fields.
    """
    return [
        (
            one,
            [
                Correction(name, _written(current.get(name)), wanted)
                for name, wanted in one.fields.items()
            ],
        )
        for one in rounds
        if one.resolved_at is None
    ]


def _written(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def current_of_slot(slot: Slot) -> dict[str, Any]:
    """Give what a slot has under the names that corrections use."""
    return {
        "description": slot.description,
        "sound": slot.tiktok_sound_url or slot.instagram_audio_name,
        "editing": slot.editing_instructions,
        "location": slot.instagram_location,
        "collaborators": slot.instagram_collaborators,
        "platform_url": slot.platform_url,
    }
