"""An endpoint's run of failures: when it is held back, and when it is switched off.

Closed: up to five deliveries in flight. Open, after ten failures in a row: nothing is sent for a
minute, then one probe; a failed probe holds for another minute, a success closes the breaker. What
waits meanwhile is not claimed and so loses no attempts. A 429 or 503 with ``Retry-After`` holds in
the same way (contract section 12).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tokportal_server.webhooks.schedule import (
    BREAKER_FAILURES,
    DISABLED_AFTER,
    PROBE_EVERY,
    WARNED_AFTER,
)
from tokportal_server.webhooks.sending import Outcome

THROTTLED: Final = frozenset({429, 503})
GONE: Final = 410


@dataclass(slots=True)
class Health:
    """An endpoint's run of failures, as of ``now`` on its workspace's clock."""

    workspace_id: UUID
    endpoint_id: UUID
    url: str
    now: datetime
    enabled: bool
    failures: int
    first_failure_at: datetime | None
    hold_until: datetime | None
    warned_at: datetime | None
    disabled_reason: str | None = None

    def succeed(self) -> None:
        """Note a success: the run of failures is over, and an open breaker closes."""
        if self.failures >= BREAKER_FAILURES:
            self.hold_until = None
        self.failures, self.first_failure_at, self.warned_at = 0, None, None

    def fail(self, outcome: Outcome) -> None:
        """Note a failure: it may hold the endpoint back, or end it."""
        self.failures += 1
        self.first_failure_at = self.first_failure_at or self.now
        if outcome.response_status in THROTTLED:
            self._hold(outcome.retry_after)
        if self.failures >= BREAKER_FAILURES:
            self._hold(PROBE_EVERY)
        if outcome.response_status == GONE:
            self.disabled_reason = "the receiver answered 410 Gone"
        elif self.now - self.first_failure_at >= DISABLED_AFTER:
            self.disabled_reason = f"no delivery succeeded for {DISABLED_AFTER.days} days"

    def warns(self) -> bool:
        """Tell, once in a run of failures, that it has become long enough to warn of."""
        started = self.first_failure_at
        if self.warned_at or started is None or self.now - started < WARNED_AFTER:
            return False
        self.warned_at = self.now
        return True

    def _hold(self, wait: timedelta) -> None:
        if wait:
            self.hold_until = max(self.hold_until or self.now, self.now + wait)
