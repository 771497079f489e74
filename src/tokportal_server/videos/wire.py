"""The slot object and its request (contract section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.http.validation import Problem
from tokportal_server.lib.clock import Day, Timestamp
from tokportal_server.orders.states import SlotStatus
from tokportal_server.uploads.wire import MediaError, MediaObject, MediaStatus

Text200 = Annotated[str, Meta(max_length=200)]
MediaUrl = Annotated[
    str,
    Meta(
        max_length=2048,
        description="A `storage_path` or `public_url` of an upload, or an http(s) address.",
    ),
]
ImageUrl = Annotated[MediaUrl, Meta(min_length=1)]
CarouselImages = Annotated[list[ImageUrl], Meta(max_length=35)]
Description = Annotated[str, Meta(max_length=2200)]
Volume = Annotated[int, Meta(ge=0, le=100, description="Percent.")]
HIGHEST_POSITION = 1000
# Windows and deadlines are reckoned from a slot's day, and calendars end with the year 9999.
LAST_DAY = date(9000, 1, 1)

INSTAGRAM_ONLY = (
    "story_image_url",
    "story_repost_url",
    "instagram_content_type",
    "instagram_location",
    "instagram_collaborators",
    "instagram_audio_name",
    "instagram_add_to_story",
    "instant_repost_as_story",
)


class SlotContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a slot shows and how it is to be posted; all that ``slots.content`` holds."""

    description: Description | None = None
    video_url: MediaUrl | None = None
    carousel_images: CarouselImages | None = None
    carousel_title: Text200 | None = None
    story_image_url: MediaUrl | None = None
    story_repost_url: MediaUrl | None = None
    tiktok_sound_url: MediaUrl | None = None
    volume_original_sound: Volume | None = None
    volume_added_sound: Volume | None = None
    editing_instructions: Annotated[str, Meta(max_length=2000)] | None = None
    instagram_content_type: Literal["reel", "post"] | None = None
    instagram_location: Text200 | None = None
    instagram_collaborators: Annotated[list[Text200], Meta(max_length=20)] | None = None
    instagram_audio_name: Text200 | None = None
    instagram_add_to_story: bool | None = None
    ai_content_disclaimer: bool | None = None
    disclose_as_ads: bool | None = None
    instant_repost_as_story: bool | None = None


def needs_description(video_type: str | None) -> bool:
    """Say whether a slot of this kind has a caption; None is a slot that is not configured yet."""
    return video_type not in {None, "story"}


class ConfigureVideoRequest(SlotContent, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces what the slot holds."""

    video_type: Literal["video", "carousel", "story"]
    target_publish_date: Annotated[
        date, Meta(description="First day of the 2-day window in which the post goes up.")
    ]
    name: Text200 | None = None
    external_ref: Text200 | None = None
    auto_publish: bool | None = None

    not_offered: ClassVar[tuple[str, ...]] = ("youtube_",)

    def problems(self) -> Iterator[Problem]:
        """Yield the rules between the fields that need no platform."""
        if needs_description(self.video_type) and not self.description:
            yield Problem("description", f"is required for video_type {self.video_type!r}")
        if self.target_publish_date > LAST_DAY:
            yield Problem("target_publish_date", f"must not be after {LAST_DAY}")
        yield from self._media_problems()

    def _media_problems(self) -> Iterator[Problem]:
        if self.video_type == "video" and not self.video_url:
            yield Problem("video_url", "is required for video_type 'video'")
        if self.video_type == "carousel" and not self.carousel_images:
            yield Problem("carousel_images", "needs 1 or more images for video_type 'carousel'")
        if self.video_type == "story" and bool(self.video_url) == bool(self.story_image_url):
            yield Problem("story_image_url", "a story takes exactly one of it and video_url")
        for field, fits in (
            ("video_url", self.video_type in ("video", "story")),
            ("carousel_images", self.video_type == "carousel"),
            ("carousel_title", self.video_type == "carousel"),
            ("story_image_url", self.video_type == "story"),
        ):
            if getattr(self, field) and not fits:
                yield Problem(field, f"does not belong to video_type {self.video_type!r}")


class SlotCorrection(msgspec.Struct, frozen=True):
    """One round of corrections that the customer asked for."""

    round: int
    comment: str
    fields: dict[str, str]
    requested_at: Timestamp
    resolved_at: Timestamp | None


class DownloadIssue(msgspec.Struct, frozen=True):
    """The manager could not use the media."""

    reported_at: Timestamp
    reason: str


class Slot(SlotContent, frozen=True, kw_only=True):
    """The slot object; ``id`` and ``video_id`` are the same."""

    id: UUID
    video_id: UUID
    bundle_id: UUID
    position: int
    status: SlotStatus
    name: str | None
    external_ref: str | None
    video_type: Literal["video", "carousel", "story"] | None
    options_paid: list[Literal["sound_volume", "story_repost", "instant_repost"]]
    target_publish_start_date: Day | None
    target_publish_end_date: Day | None
    date_adjusted: bool
    media: list[MediaObject]
    media_status: MediaStatus
    media_error: MediaError | None
    publish_when_ready: bool
    download_issue: DownloadIssue | None
    platform_url: str | None
    evidence_url: str | None
    corrections: list[SlotCorrection]
    overdue_at: Timestamp | None
    published_at: Timestamp | None
    accepted_at: Timestamp | None
    submitted_at: Timestamp | None
    review_deadline_at: Timestamp | None
    finalized_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    # Only in the answer of a call that asked for auto_publish, or that moved a date.
    auto_publish_error: MediaError | msgspec.UnsetType = msgspec.UNSET
    original_date: Day | msgspec.UnsetType = msgspec.UNSET
    new_date: Day | msgspec.UnsetType = msgspec.UNSET
