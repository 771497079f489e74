"""What a slot can refuse."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class InvalidDateError(ApiError):
    """Too soon; ``details {min_days_ahead, earliest_allowed}``."""

    code = "INVALID_DATE"
    status = 400
    remedy = "You: send a date from `details.earliest_allowed` on."


class VideosPerDayError(ApiError):
    """A day of the bundle is full; ``details {date, current_count}``."""

    code = "VIDEOS_PER_DAY_EXCEEDED"
    status = 400
    remedy = "You: choose another day for the slot; `GET /bundles/{id}/videos` shows those taken."


class NoEditSlotsError(ApiError):
    """Every edit slot of the bundle is in use."""

    code = "NO_EDIT_SLOTS"
    status = 400
    remedy = (
        "You: leave `editing_instructions` out, or free an edit slot by configuring another"
        " slot without them."
    )


class StaleDatesError(ApiError):
    """A date has gone stale and the caller asked not to have it moved."""

    code = "STALE_DATES"
    status = 409
    remedy = (
        "You: configure the slots with new dates, or leave `X-TokPortal-Stale-Dates: reject`"
        " out to have them moved."
    )


class VideoNotEditableError(ApiError):
    """The slot is past changing its description or dates."""

    code = "VIDEO_NOT_EDITABLE"
    status = 400
    remedy = (
        "You: send `name` and `external_ref` alone, which can always be changed; while the slot is"
        " in review, ask for corrections instead."
    )


class LastPublishedVideoError(ApiError):
    """The bundle would be offered to managers with nothing to post."""

    code = "NO_VIDEOS_CONFIGURED"
    status = 409
    remedy = "You: publish another slot of the bundle first, or unpublish the bundle."


class NoDownloadIssueError(ApiError):
    """No manager waits for other media of the slot."""

    code = "NO_DOWNLOAD_ISSUE"
    status = 409
    remedy = (
        "You: nothing needs fixing. Media are replaced so only while `download_issue` of the slot"
        " is set (`video.download_issue`)."
    )
