"""Bodies of the smaller writes on one slot (contract section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokportal_server.http.validation import Problem
from tokportal_server.videos.wire import (
    LAST_DAY,
    CarouselImages,
    Description,
    MediaUrl,
    Text200,
)

Text2000 = Annotated[str, Meta(max_length=2000)]
_LONGEST_WINDOW = 7


class PatchVideoRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a slot: at least one. Null clears a text; the dates are one day or a pair."""

    name: Text200 | UnsetType | None = UNSET
    external_ref: Text200 | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    target_publish_date: (
        Annotated[date, Meta(description="First day of a 2-day window.")] | UnsetType
    ) = UNSET
    target_publish_start_date: (
        Annotated[date, Meta(description="First day of a window of your own; needs its end.")]
        | UnsetType
    ) = UNSET
    target_publish_end_date: (
        Annotated[date, Meta(description="Last day of that window, which has 1 to 7 days.")]
        | UnsetType
    ) = UNSET

    more_schema: ClassVar[dict[str, Any]] = {
        "minProperties": 1,
        "dependentRequired": {
            "target_publish_start_date": ["target_publish_end_date"],
            "target_publish_end_date": ["target_publish_start_date"],
        },
    }

    def problems(self) -> Iterator[Problem]:
        """Yield that nothing is to be changed, or what is wrong with the window."""
        if all(getattr(self, name) is UNSET for name in self.__struct_fields__):
            yield Problem("body", f"must have at least one of {', '.join(self.__struct_fields__)}")
        start, end = self.target_publish_start_date, self.target_publish_end_date
        if isinstance(self.target_publish_date, date) and (start, end) != (UNSET, UNSET):
            yield Problem("target_publish_date", "send either it or the pair of start and end")
        if isinstance(start, date) and not isinstance(end, date):
            yield Problem("target_publish_end_date", "is required with target_publish_start_date")
        if isinstance(end, date) and not isinstance(start, date):
            yield Problem("target_publish_start_date", "is required with target_publish_end_date")
        if isinstance(start, date) and isinstance(end, date):
            days = (end - start).days + 1
            if not 1 <= days <= _LONGEST_WINDOW:
                yield Problem(
                    "target_publish_end_date",
                    f"makes a window of {days} days; it must have 1 to {_LONGEST_WINDOW}",
                    end.isoformat(),
                )
        if (day := self.day) is not None and day > LAST_DAY:
            yield Problem(self.day_field, f"must not be after {LAST_DAY}")

    @property
    def day(self) -> date | None:
        """The wanted first day, by whichever name it was given."""
        for given in (self.target_publish_date, self.target_publish_start_date):
            if isinstance(given, date):
                return given
        return None

    @property
    def day_field(self) -> str:
        """The name by which it was given."""
        alone = self.target_publish_date is not UNSET
        return "target_publish_date" if alone else "target_publish_start_date"


class VideoCorrectionFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Feedback by field; it may carry the new wanted value."""

    description: Text2000 | None = None
    video: Text2000 | None = None
    carousel: Text2000 | None = None
    sound: Text2000 | None = None
    editing: Text2000 | None = None
    location: Text2000 | None = None
    collaborators: Text2000 | None = None
    disclosure: Text2000 | None = None
    platform_url: Text2000 | None = None


class VideoCorrectionsRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What is wrong with the post that the manager handed in."""

    comment: Annotated[str, Meta(min_length=1, max_length=2000)]
    fields: VideoCorrectionFields | None = None


class FixVideoDownloadRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Other media in place of those that the manager could not use: exactly one field."""

    video_url: MediaUrl | None = None
    carousel_images: CarouselImages | None = None
    story_image_url: MediaUrl | None = None

    def given(self) -> list[str]:
        """Give the names of the fields that name a file."""
        return [name for name in self.__struct_fields__ if getattr(self, name)]

    def problems(self) -> Iterator[Problem]:
        """Yield that it is not exactly one."""
        if len(self.given()) != 1:
            yield Problem("body", f"must have exactly one of {', '.join(self.__struct_fields__)}")
