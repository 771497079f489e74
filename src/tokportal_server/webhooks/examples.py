"""Examples of event data, made from the same structs as the schemas."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from tokportal_server.webhooks import event_data as data
from tokportal_server.workbench.machines import MACHINES

_BUNDLE: Final = UUID("9f3a7b2e-1c4d-4e8f-a5b6-7d9e0f1a2b3c")
_LISTING: Final = UUID("4b1f6a52-90c7-4f0e-8d39-2a6c5e7b1d84")
_SAVED_ACCOUNT: Final = UUID("c2d8e0b7-6a35-4c19-b7f4-0e5d3a9182f6")
_SLOT: Final = UUID("71e5c9d3-2f80-4ab6-9c1e-d84b06f7a325")
_OTHER: Final = UUID("e08b47f1-5d2a-4936-8ec0-b3f9127a6d5c")
_LIVE_POST: Final = "https://www.tiktok.com/@northwind.daily/video/7412345678901234567"

_ACCOUNT: Final[dict[str, Any]] = {
    "sequence": 7,
    "account_id": _LISTING,
    "saved_account_id": _SAVED_ACCOUNT,
    "bundle_id": _BUNDLE,
    "external_ref": "spring-7",
    "username": "northwind.daily",
    "platform": "tiktok",
    "status": "finalized",
    "previous_status": "finalized",
}
_VIDEO: Final[dict[str, Any]] = {
    "sequence": 12,
    "video_id": _SLOT,
    "bundle_id": _BUNDLE,
    "position": 1,
    "external_ref": "spring-7-clip-1",
    "platform": "tiktok",
    "status": "published",
    "previous_status": "published",
    "platform_url": None,
}
_SAMPLES: Final[tuple[data.EventData, ...]] = (
    data.TestEventData(sequence=3, endpoint_id=_OTHER, message="This is a test."),
    data.BundleEventData(
        sequence=1,
        bundle_id=_BUNDLE,
        external_ref="spring-7",
        bundle_type="account_and_videos",
        platform="tiktok",
        status="pending_setup",
        previous_status=None,
    ),
    data.AccountEventData(**_ACCOUNT),
    data.AccountInReviewData(
        **_ACCOUNT,
        deviations=[data.Deviation(field="username", wanted="northwind", actual="northwind.daily")],
    ),
    data.AccountRevealedData(**_ACCOUNT, management_ended=False),
    data.AccountBannedData(
        sequence=40,
        saved_account_id=_SAVED_ACCOUNT,
        bundle_id=_BUNDLE,
        username="northwind.daily",
        platform="tiktok",
        reason="community_guidelines",
        appeal_status=None,
        banned_at="2026-11-23T08:00:00.000Z",
    ),
    data.VideoEventData(**_VIDEO),
    data.VideoRescheduledData(**_VIDEO, previous_date="2026-11-27", new_date="2026-11-30"),
    data.CommentEventData(
        sequence=21,
        comment_task_id=_OTHER,
        saved_account_id=_SAVED_ACCOUNT,
        platform="tiktok",
        target_video_url=_LIVE_POST,
        status="submitted",
        previous_status="pending",
    ),
    data.EditRequestEventData(
        sequence=22,
        edit_request_id=_OTHER,
        saved_account_id=_SAVED_ACCOUNT,
        platform="tiktok",
        status="completed",
        previous_status="pending",
    ),
    data.ReportEventData(
        sequence=23,
        report_id=_OTHER,
        title="Spring",
        template="executive",
        expires_at="2027-02-21T08:00:00.000Z",
    ),
    data.CreditsLevelData(sequence=24, credits=40, threshold=50),
    data.CreditsExpiringData(
        sequence=25, lot_id=_OTHER, amount=120, expires_at="2026-11-30T08:00:00.000Z"
    ),
    data.AnalyticsRefreshedData(
        sequence=26,
        saved_account_id=_SAVED_ACCOUNT,
        platform="tiktok",
        refreshed_at="2026-11-23T08:00:00.000Z",
        posts_refreshed=12,
        posts_imported=1,
        comments_collected=30,
    ),
)
_BY_SHAPE: Final = {type(sample): sample for sample in _SAMPLES}
_STATUS_OF_NAME: Final = {
    "edit_request.rejected": ("rejected", "pending"),
    **{
        t.event: (t.target, t.source)
        for machine in MACHINES
        for t in reversed(machine.transitions)
        if t.event is not None
    },
}


def example_data(name: str, shape: type[data.EventData]) -> dict[str, Any]:
    """Give an example of an event's ``data``, with the statuses of that event's transition."""
    example: dict[str, Any] = msgspec.to_builtins(_BY_SHAPE[shape])
    if name in _STATUS_OF_NAME:
        example["status"], example["previous_status"] = _STATUS_OF_NAME[name]
    return example
