"""Every event type that an endpoint may subscribe to (contract section 12).

Types of newer clients that this server never sends stand here too, so that their subscriptions are
accepted; they are marked ``emitted: false`` and have neither schema nor example.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from tokportal_server.http.validation import Problem
from tokportal_server.webhooks import event_data as data
from tokportal_server.webhooks.examples import example_data


class EventType(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue; ``schema`` is the JSON Schema of ``data``, ``example`` one."""

    type: str
    description: str
    emitted: bool
    schema: dict[str, Any] | None = None
    example: dict[str, Any] | None = None


# Not dispatched like the others: it goes to the endpoint that is tested and to nobody else.
TEST_EVENT: Final = "webhook.test"
_EMITTED: Final[tuple[tuple[str, type[data.EventData], str], ...]] = (
    (TEST_EVENT, data.TestEventData, "A test of one endpoint, asked for by its owner."),
    ("bundle.created", data.BundleEventData, "A bundle was ordered."),
    ("bundle.published", data.BundleEventData, "A bundle was published to the managers."),
    ("bundle.unpublished", data.BundleEventData, "A bundle was taken back before a claim."),
    ("bundle.accepted", data.BundleEventData, "A manager claimed a bundle."),
    ("bundle.released", data.BundleEventData, "A claim ended; the bundle is open again."),
    ("bundle.completed", data.BundleEventData, "Everything that was ordered is finalized."),
    ("bundle.cancelled", data.BundleEventData, "A bundle was cancelled; refunds are booked."),
    ("bundle.archived", data.BundleEventData, "A bundle was put away."),
    ("account.configured", data.AccountEventData, "A profile to be set up was described."),
    ("account.published", data.AccountEventData, "A profile to be set up is open to managers."),
    ("account.in_review", data.AccountInReviewData, "A manager submitted the account."),
    ("account.pending_corrections", data.AccountEventData, "Corrections were asked for."),
    ("account.finalized", data.AccountEventData, "The account is delivered."),
    ("account.revealed", data.AccountRevealedData, "The account's credentials were revealed."),
    ("account.banned", data.AccountBannedData, "The platform banned the account."),
    ("video.configured", data.VideoEventData, "A slot was given its content."),
    ("video.published", data.VideoEventData, "A slot is open to be posted."),
    ("video.unscheduled", data.VideoEventData, "A slot was taken back; its content stays."),
    ("video.reset", data.VideoEventData, "A slot was emptied."),
    ("video.rescheduled", data.VideoRescheduledData, "A slot's target date moved."),
    ("video.overdue", data.VideoEventData, "A slot was not posted inside its window."),
    ("video.in_review", data.VideoEventData, "A manager submitted the live post."),
    ("video.pending_corrections", data.VideoEventData, "Corrections were asked for."),
    ("video.finalized", data.VideoEventData, "The post is accepted."),
    ("video.download_issue", data.VideoEventData, "A manager could not open the slot's media."),
    ("comment.submitted", data.CommentEventData, "A manager posted the comment."),
    ("comment.verified", data.CommentEventData, "The comment was found under the post."),
    ("comment.manually_confirmed", data.CommentEventData, "The comment was confirmed by hand."),
    ("comment.pending_corrections", data.CommentEventData, "The comment must be mended."),
    ("comment.finalized", data.CommentEventData, "The comment task is done."),
    ("comment.cancelled", data.CommentEventData, "The comment task ended without a comment."),
    ("edit_request.completed", data.EditRequestEventData, "A change of an account was made."),
    ("edit_request.rejected", data.EditRequestEventData, "A change of an account was refused."),
    ("report.created", data.ReportEventData, "An analytics report was made."),
    ("credits.low", data.CreditsLevelData, "The balance fell below the workspace's threshold."),
    ("credits.expiring", data.CreditsExpiringData, "Credits of a lot expire within 7 days."),
    ("credits.restored", data.CreditsLevelData, "The balance is above the threshold again."),
    ("analytics.refreshed", data.AnalyticsRefreshedData, "An account's numbers were collected."),
)
_NEVER_EMITTED: Final = (
    "account.remade",
    "account.ban_appeal.submitted",
    "account.ban_appeal.resolved",
    "account.ban_resolution.decided",
    "warming.session_started",
    "warming.term_verified",
    "warming.session_completed",
    "subscription.renewed",
    "subscription.lapsed",
    "subscription.cancelled",
    "subscription.reactivated",
    "subscription.ended",
)


def _all_types() -> Iterator[EventType]:
    for name, shape, description in _EMITTED:
        yield EventType(
            type=name,
            description=description,
            emitted=True,
            schema=data.complete_schema(shape),
            example=example_data(name, shape),
        )
    for name in _NEVER_EMITTED:
        yield EventType(
            type=name,
            description="Known to newer clients; this server accepts it and never sends it.",
            emitted=False,
        )


CATALOGUE: Final = tuple(_all_types())
NAMES: Final = frozenset(entry.type for entry in CATALOGUE)


def event_problems(events: Iterable[str], field: str = "events") -> Iterator[Problem]:
    """Yield a problem for each event type that does not exist, or is named twice."""
    seen: set[str] = set()
    for index, name in enumerate(events):
        if name not in NAMES:
            yield Problem(
                f"{field}[{index}]", "is no event type; GET /webhooks/events lists them", name
            )
        elif name in seen:
            yield Problem(f"{field}[{index}]", "is named twice; remove one", name)
        seen.add(name)
