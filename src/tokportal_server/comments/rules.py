"""How long each status of a comment task lasts, and when the platform is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from tokportal_server.lib.settings import Settings

# Contract section 10, on the workspace's clock: after this the deadline sweeper settles the task.
LASTS: Final = {
    "pending": timedelta(hours=72),
    "submitted": timedelta(hours=72),
    "verified_auto": timedelta(hours=24),
    "manually_confirmed": timedelta(hours=72),
    "pending_corrections": timedelta(hours=72),
}
# A comment may take a while to be shown, so it is looked for again after each of these.
LOOK_AGAIN: Final = (
    timedelta(hours=1),
    timedelta(hours=5),
    timedelta(hours=18),
    timedelta(hours=24),
)
# The dispute with which a task goes to an operator.
LAST_DISPUTE: Final = 3
# How far back the guards look, and from which likeness on two texts are one.
GUARDED: Final = timedelta(hours=24)
LIKE: Final = 0.9


@dataclass(frozen=True, slots=True)
class CommentGuards:
    """Which guards against brigading are on."""

    per_target: bool
    like_texts: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read them from the settings."""
        return cls(
            per_target=settings.comment_limit_per_target,
            like_texts=settings.comment_refuse_like_texts,
        )


def timers(status: str, now: datetime) -> dict[str, Any]:
    """Give the columns that a task gets when it comes into a status: when it ends, when to look."""
    lasts = LASTS.get(status)
    look = {"submitted": now, "pending_corrections": now + LOOK_AGAIN[0]}
    return {
        "due_at": None if lasts is None else now + lasts,
        "look_at": look.get(status),
        "looks": 0,
    }
