"""When a slot may go up: lead time, days that are full, dates that have gone stale.

All days are judged in UTC on the workspace's clock (contract section 7, Dates).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from tokportal_server.lib.clock import wire_day
from tokportal_server.orders.locks import Row
from tokportal_server.videos.errors import InvalidDateError, VideosPerDayError

WINDOW_DAYS = 2
PER_DAY = 3
LEAD_NEW_ACCOUNT = 3
LEAD_DELIVERED = 1
# Statuses that hold no day: nothing planned yet, or nothing any more.
_DAYLESS = frozenset({"pending", "cancelled"})


def today(now: datetime) -> date:
    """Give the calendar day of an instant, in UTC."""
    return now.astimezone(UTC).date()


def lead_days(profile: Row | None) -> int:
    """Give the days of notice that a slot needs: more while the account is being set up."""
    return (
        LEAD_DELIVERED
        if profile is None or profile["status"] == "finalized"
        else (LEAD_NEW_ACCOUNT)
    )


def window_end(start: date) -> date:
    """Give the last day of the window that begins on ``start``."""
    return start + timedelta(days=WINDOW_DAYS - 1)


class Calendar:
    """How many live slots each day of one bundle has."""

    def __init__(self, slots: Iterable[Row]) -> None:
        self._days: dict[UUID, date] = {
            slot["id"]: slot["target_start"]
            for slot in slots
            if slot["target_start"] is not None and slot["status"] not in _DAYLESS
        }
        # Kept beside the days, so that an order of a thousand slots is planned in one pass.
        self._counts = Counter(self._days.values())

    def check(
        self,
        slot_id: UUID,
        day: date,
        *,
        now: datetime,
        lead: int,
        field: str = "target_publish_date",
    ) -> None:
        """Refuse a day that is too soon or full; ``field`` is the name that the request has for it.

        Raises:
            InvalidDateError: less than ``lead`` days ahead.
            VideosPerDayError: three other live slots have that day.
        """
        earliest = today(now) + timedelta(days=lead)
        if day < earliest:
            raise InvalidDateError(
                f"{field}: {day} is too soon; the earliest possible day is {earliest}, {lead}"
                " day(s) ahead.",
                details={
                    "field": field,
                    "min_days_ahead": lead,
                    "earliest_allowed": wire_day(earliest),
                },
            )
        if (count := self._others(slot_id, day)) >= PER_DAY:
            raise VideosPerDayError(
                f"{field}: {day} already has {count} videos of this bundle, the most for one day."
                " Choose another day.",
                details={"field": field, "date": wire_day(day), "current_count": count},
            )

    def earliest_free(self, slot_id: UUID, *, at_least: date) -> date:
        """Find the first day from ``at_least`` on that has room for a slot."""
        day = at_least
        while self._others(slot_id, day) >= PER_DAY:
            day += timedelta(days=1)
        return day

    def place(self, slot_id: UUID, day: date) -> None:
        """Take a day for a slot, giving up the one that it had."""
        if slot_id in self._days:
            self._counts[self._days[slot_id]] -= 1
        self._days[slot_id] = day
        self._counts[day] += 1

    def _others(self, slot_id: UUID, day: date) -> int:
        return self._counts[day] - (self._days.get(slot_id) == day)
