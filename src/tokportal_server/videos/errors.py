"""What a slot can refuse."""

from __future__ import annotations

from tokportal_server.lib.errors import ApiError


class InvalidDateError(ApiError):
    """Too soon; ``details {min_days_ahead, earliest_allowed}``."""

    code = "INVALID_DATE"
    status = 400


class VideosPerDayError(ApiError):
    """A day of the bundle is full; ``details {date, current_count}``."""

    code = "VIDEOS_PER_DAY_EXCEEDED"
    status = 400


class NoEditSlotsError(ApiError):
    """Every edit slot of the bundle is in use."""

    code = "NO_EDIT_SLOTS"
    status = 400


class StaleDatesError(ApiError):
    """A date has gone stale and the caller asked not to have it moved."""

    code = "STALE_DATES"
    status = 409
