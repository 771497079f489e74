"""What the events tell: one struct for each shape of ``data`` (contract section 12)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.comments.states import CommentStatus
from tokportal_server.lib.clock import Day, Timestamp
from tokportal_server.orders.states import BundleStatus, ProfileStatus, SlotStatus

Sequence = Annotated[
    int, Meta(ge=1, description="Place in the workspace's order of events, without gaps.")
]


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """What every event tells."""

    sequence: Sequence


class BundleEventData(EventData, frozen=True, kw_only=True):
    """``bundle.*``."""

    bundle_id: UUID
    external_ref: str | None
    bundle_type: Literal["account_only", "account_and_videos", "videos_only"]
    platform: str
    status: BundleStatus
    previous_status: BundleStatus | None


class AccountEventData(EventData, frozen=True, kw_only=True):
    """``account.*`` but ``account.banned``."""

    account_id: UUID
    saved_account_id: UUID | None
    bundle_id: UUID
    external_ref: str | None
    username: str | None
    platform: str
    status: ProfileStatus
    previous_status: ProfileStatus | None


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be had as it was wanted."""

    field: str
    wanted: str | None
    actual: str | None


class AccountInReviewData(AccountEventData, frozen=True, kw_only=True):
    """``account.in_review``."""

    deviations: list[Deviation]


class AccountRevealedData(AccountEventData, frozen=True, kw_only=True):
    """``account.revealed``: whether the management of the account ended with it."""

    management_ended: bool


class AccountBannedData(EventData, frozen=True, kw_only=True):
    """``account.banned``."""

    saved_account_id: UUID
    bundle_id: UUID
    username: str
    platform: str
    reason: str
    appeal_status: str | None
    banned_at: Timestamp


class VideoEventData(EventData, frozen=True, kw_only=True):
    """``video.*``."""

    video_id: UUID
    bundle_id: UUID
    position: int
    external_ref: str | None
    platform: str
    status: SlotStatus
    previous_status: SlotStatus | None
    platform_url: str | None


class VideoRescheduledData(VideoEventData, frozen=True, kw_only=True):
    """``video.rescheduled``: both days are target publish dates."""

    previous_date: Day | None
    new_date: Day


class CommentEventData(EventData, frozen=True, kw_only=True):
    """``comment.*``."""

    comment_task_id: UUID
    saved_account_id: UUID
    platform: str
    target_video_url: str
    status: CommentStatus
    previous_status: CommentStatus | None


class EditRequestEventData(EventData, frozen=True, kw_only=True):
    """``edit_request.*``."""

    edit_request_id: UUID
    saved_account_id: UUID
    platform: str
    status: Literal["completed", "rejected"]
    previous_status: str | None


class ReportEventData(EventData, frozen=True, kw_only=True):
    """``report.created``. The report's address is a secret and not told."""

    report_id: UUID
    title: str | None
    template: str
    expires_at: Timestamp


class CreditsLevelData(EventData, frozen=True, kw_only=True):
    """``credits.low`` and ``credits.restored``, in whole credits."""

    credits: int
    threshold: int


class CreditsExpiringData(EventData, frozen=True, kw_only=True):
    """``credits.expiring``, in whole credits."""

    lot_id: UUID
    amount: int
    expires_at: Timestamp


class AnalyticsRefreshedData(EventData, frozen=True, kw_only=True):
    """``analytics.refreshed``."""

    saved_account_id: UUID
    platform: str
    refreshed_at: Timestamp
    posts_refreshed: int
    posts_imported: int
    comments_collected: int


class TestEventData(EventData, frozen=True, kw_only=True):
    """``webhook.test``."""

    endpoint_id: UUID
    message: str


def complete_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Give the JSON Schema of a struct, complete in itself."""
    [schema], components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    own = components.pop(schema["$ref"].removeprefix("#/$defs/"))
    return {**own, "$defs": components} if components else own
