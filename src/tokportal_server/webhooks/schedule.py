"""When a delivery is tried again, and what an endpoint's run of failures leads to.

The delays are those of Standard Webhooks (contract section 12). All of it is plain arithmetic on
the workspace's clock.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from tokportal_server.lib.clock import in_utc

# How long after a failed attempt the next one follows: the first of ten attempts is made at once.
DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MAX_ATTEMPTS: Final = len(DELAYS) + 1
JITTER: Final = 0.2
RETRY_AFTER_MAX: Final = timedelta(hours=24)
DISABLED_AFTER: Final = timedelta(days=5)
WARNED_AFTER: Final = timedelta(days=2)
# Bodies for a retry, events for the feed, and the log itself.
PAYLOADS_KEPT: Final = timedelta(days=30)
EVENTS_KEPT: Final = timedelta(days=30)
LOG_KEPT: Final = timedelta(days=90)
IN_FLIGHT_CAP: Final = 5
# After so many failures in a row an endpoint gets one delivery at a time, this far apart.
BREAKER_FAILURES: Final = 10
PROBE_EVERY: Final = timedelta(minutes=1)

_LONGEST_NUMBER: Final = 12
_NOTHING: Final = timedelta(0)


def delay_after(attempt: int, *, retry_after: timedelta, spread: float) -> timedelta | None:
    """Give the wait after failed attempt number ``attempt`` (from 1), or None if it was the last.

    ``spread`` is -1 to 1 and moves the delay by up to 20 %; a receiver's ``Retry-After`` is never
    undercut.
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    return max(DELAYS[attempt - 1] * (1 + JITTER * spread), retry_after)


def random_spread() -> float:
    """Give a spread for :func:`delay_after`."""
    return random.uniform(-1, 1)  # noqa: S311 - scatters load, guards nothing


def retry_after(header: str | None, *, real_now: datetime) -> timedelta:
    """Read a receiver's ``Retry-After``, seconds or an HTTP date, clamped to 0-24 h.

    What cannot be read asks for nothing. A date is on the real clock, like the receiver.
    """
    if header is None:
        return _NOTHING
    text = header.strip()
    if text.isascii() and text.isdigit():
        # Cut before it is a number: a receiver may send thousands of digits.
        wanted = timedelta(seconds=int(text)) if len(text) < _LONGEST_NUMBER else RETRY_AFTER_MAX
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return _NOTHING
        # A date that names no zone ("-0000") is UTC, as HTTP has it.
        wanted = in_utc(moment) - real_now
    return min(max(wanted, _NOTHING), RETRY_AFTER_MAX)
