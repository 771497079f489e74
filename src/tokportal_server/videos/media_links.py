"""A slot's files: from the fields of its content to rows of ``media``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.unit_of_work import UnitOfWork
from tokportal_server.orders.locks import Row
from tokportal_server.uploads.media import (
    MediaLink,
    MediaWish,
    find_media,
    media_status,
    replace_media,
)
from tokportal_server.uploads.source import MediaSource
from tokportal_server.uploads.wire import MediaKind, MediaStatus
from tokportal_server.videos.wire import SlotContent

_KINDS: tuple[MediaKind, ...] = ("video", "carousel_image", "story_image")


@dataclass(frozen=True, slots=True)
class SlotMedia:
    """What a slot's files are to be: each kind with its links, none where there are no files."""

    found: list[tuple[MediaWish, list[MediaLink]]]

    @property
    def status(self) -> MediaStatus:
        """The status of the files taken together."""
        return media_status(link.status for _, links in self.found for link in links)


async def find_slot_media(
    tx: UnitOfWork, wanted: Sequence[tuple[Row, SlotContent]], source: MediaSource
) -> list[SlotMedia | ApiError]:
    """Find the files that each slot's content names, or say why they cannot be had.

    The refusals are those of :func:`tokportal_server.uploads.media.link_media`; nothing is written.
    """
    wishes = [wish for slot, content in wanted for wish in _wishes(slot, content)]
    found = await find_media(tx, wishes, base_url=source.base_url, policy=source.policy)
    answers: list[SlotMedia | ApiError] = []
    for first in range(0, len(wishes), len(_KINDS)):
        kinds = range(first, first + len(_KINDS))
        refusal = next((e for n in kinds if isinstance(e := found[n], ApiError)), None)
        links = [(wishes[n], own) for n in kinds if isinstance(own := found[n], list)]
        answers.append(refusal or SlotMedia(links))
    return answers


async def replace_slot_media(tx: UnitOfWork, bundle_id: UUID, media: Sequence[SlotMedia]) -> None:
    """Put the files of slots of one bundle in the place of those that they had."""
    found = [pair for slot in media for pair in slot.found]
    await replace_media(tx, bundle_id=bundle_id, owner_kind="slot", media=found)


async def link_slot_media(
    tx: UnitOfWork, slot: Row, content: SlotContent, source: MediaSource
) -> MediaStatus:
    """Make the files that ``content`` names one slot's, and give their status taken together.

    Raises:
        ValidationError: an address may not be called.
        MediaNotFoundError: an upload is not there.
    """
    [media] = await find_slot_media(tx, [(slot, content)], source)
    if isinstance(media, ApiError):
        raise media
    await replace_slot_media(tx, slot["bundle_id"], [media])
    return media.status


def _wishes(slot: Row, content: SlotContent) -> list[MediaWish]:
    values: dict[MediaKind, Sequence[str]] = {
        "video": [content.video_url] if content.video_url else [],
        "carousel_image": content.carousel_images or [],
        "story_image": [content.story_image_url] if content.story_image_url else [],
    }
    return [MediaWish(slot["id"], kind, values[kind]) for kind in _KINDS]
