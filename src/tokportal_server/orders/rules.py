"""How long things may take: the settings that orders need, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from tokportal_server.lib.settings import Settings


@dataclass(frozen=True, slots=True)
class OrderRules:
    """Durations on the workspace's clock (contract sections 6 and 7)."""

    profile_claim: timedelta
    slot_claim: timedelta
    review: timedelta
    priority_after: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read them from the settings."""
        return cls(
            profile_claim=timedelta(hours=settings.profile_claim_hours),
            slot_claim=timedelta(hours=settings.slot_claim_hours),
            review=timedelta(hours=settings.review_hours),
            priority_after=timedelta(hours=settings.priority_after_hours),
        )
