"""Bodies and answers of the calls about many slots of one bundle (contract section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokportal_server.http.validation import Problem
from tokportal_server.orders.states import SlotStatus
from tokportal_server.uploads.wire import MediaError, MediaStatus
from tokportal_server.videos.csv_sheet import RowProblem
from tokportal_server.videos.publishing import AdjustedVideo
from tokportal_server.videos.wire import HIGHEST_POSITION, ConfigureVideoRequest

_AutoPublish = Annotated[
    bool,
    Meta(description="Publish what is configured, as `auto_publish` of configureBundleVideo does."),
]
# An item is judged alone, and after all others: the document says of it only what concerns the
# whole call.
_Item = Annotated[
    dict[str, Any],
    Meta(
        description="A slot's position with the fields of configureBundleVideo.",
        extra_json_schema={
            "properties": {
                "position": {"type": "integer", "minimum": 1, "maximum": HIGHEST_POSITION},
                **{
                    name: {"description": "As in configureBundleVideo; judged for this item alone."}
                    for name in ConfigureVideoRequest.__struct_fields__
                },
            },
            "required": ["position"],
            "additionalProperties": True,
        },
    ),
]


class BatchConfigureVideosRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Several slots, each position once."""

    videos: Annotated[list[_Item], Meta(min_length=1, max_length=500)]
    auto_publish: _AutoPublish | None = None

    def problems(self) -> Iterator[Problem]:
        """Yield positions that name no slot, or one that another item names."""
        first: dict[int, int] = {}
        for index, item in enumerate(self.videos):
            field, position = f"videos[{index}].position", item.get("position", UNSET)
            if position is UNSET:
                yield Problem(field, "is required")
            elif type(position) is not int or not 1 <= position <= HIGHEST_POSITION:
                yield Problem(field, f"must be a number from 1 to {HIGHEST_POSITION}", position)
            elif position in first:
                yield Problem(field, f"is that of videos[{first[position]}] already", position)
            else:
                first[position] = index


class ConfiguredVideo(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that was configured; why auto_publish left it there, if it did."""

    position: int
    video_id: UUID
    status: SlotStatus
    media_status: MediaStatus
    auto_publish_error: MediaError | UnsetType = UNSET


class ItemError(msgspec.Struct, frozen=True):
    """A refusal, as a call for the slot alone would have been refused."""

    code: str
    message: str
    details: dict[str, Any]


class FailedVideo(msgspec.Struct, frozen=True):
    """A slot that was left as it was."""

    position: int
    error: ItemError


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each item, by position."""

    bundle_id: UUID
    configured: list[ConfiguredVideo]
    failed: list[FailedVideo]
    adjusted_videos: list[AdjustedVideo]


class CsvForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text parts of a CSV import."""

    auto_publish: _AutoPublish | None = None


class CsvResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows: how many were imported, how many were blank, what is wrong.

    A refusal of auto_publish is listed too, under that field; its row was imported.
    """

    imported: int
    skipped: int
    errors: list[RowProblem]
    adjusted_videos: list[AdjustedVideo]


class SkippedVideo(msgspec.Struct, frozen=True):
    """A configured slot that could not be published, and the code of the refusal."""

    position: int
    code: str


class PublishedVideos(msgspec.Struct, frozen=True, kw_only=True):
    """What publishing everything did; slots that wait for their media are published with them."""

    bundle_id: UUID
    videos_published: int
    video_ids: list[UUID]
    videos_waiting_media: list[UUID]
    skipped: list[SkippedVideo]
    adjusted_videos: list[AdjustedVideo]
