"""Times on the wire, and the moment that a workspace calls now.

A workspace's clock is the real clock plus an offset, which is zero unless the workspace is a
rehearsal (contract section 2 says which time uses which clock).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, overload

from msgspec import Meta

Timestamp = Annotated[
    str,
    Meta(
        description="ISO 8601 instant in UTC with milliseconds.",
        examples=["2026-11-23T08:00:00.000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
Day = Annotated[
    str,
    Meta(
        description="Calendar day, judged in UTC.",
        examples=["2026-11-27"],
        extra_json_schema={"format": "date"},
    ),
]


def real_now() -> datetime:
    """Give the real instant, in UTC."""
    return datetime.now(UTC)


def in_utc(moment: datetime) -> datetime:
    """Give an instant that says where it is; one that does not say so is meant in UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@overload
def wire_time(moment: datetime) -> str: ...
@overload
def wire_time(moment: datetime | None) -> str | None: ...
def wire_time(moment: datetime | None) -> str | None:
    """Write an instant as contract section 1 wants it: UTC, milliseconds, ``Z``."""
    if moment is None:
        return None
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat('T', 'milliseconds')[:23]}Z"


@overload
def wire_day(day: date) -> str: ...
@overload
def wire_day(day: date | None) -> str | None: ...
def wire_day(day: date | None) -> str | None:
    """Write a calendar day as ``YYYY-MM-DD``."""
    return None if day is None else day.isoformat()
