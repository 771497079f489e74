"""The bundle object, its requests, and readiness (contract section 6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokportal_server.accounts.wire import Username
from tokportal_server.http.paging import PageQuery
from tokportal_server.http.validation import Problem
from tokportal_server.lib.clock import Timestamp
from tokportal_server.orders.states import BundleStatus, ProfileStatus
from tokportal_server.videos.publishing import AdjustedVideo

BundleType = Literal["account_only", "account_and_videos", "videos_only"]
PlatformCode = Literal["tiktok", "instagram"]
Text200 = Annotated[str, Meta(max_length=200)]
Text2000 = Annotated[str, Meta(max_length=2000)]
Quantity = Annotated[int, Meta(ge=0, le=500)]
# What a manager does or minds while setting an account up.
_SETUP_ONLY = (
    "wants_niche_warming",
    "niche_warming_instructions",
    "wants_deep_warming",
    "wants_moderation",
    "moderation_notice",
)
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


class CreateBundleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to order."""

    bundle_type: BundleType
    platform: PlatformCode | None = None
    country: (
        Annotated[
            str,
            Meta(
                max_length=60,
                description="A code of GET /countries, an ISO code or an English name.",
                examples=["USA"],
            ),
        ]
        | None
    ) = None
    title: Text200 | None = None
    videos_quantity: Quantity | None = None
    edits_quantity: Quantity | None = None
    wants_niche_warming: bool | None = None
    niche_warming_instructions: Text2000 | None = None
    wants_deep_warming: bool | None = None
    wants_moderation: bool | None = None
    moderation_notice: Text2000 | None = None
    auto_finalize_videos: bool | None = None
    account_id: Annotated[UUID, Meta(description="A delivered account.")] | None = None
    external_ref: Text200 | None = None

    not_offered: ClassVar[tuple[str, ...]] = ("wants_advanced_warming", "advanced_warming_terms")

    def problems(self) -> Iterator[Problem]:
        """Yield the rules between the fields that need no look-up."""
        yield from self._quantity_problems()
        yield from self._warming_problems()
        if self.bundle_type == "videos_only" and self.account_id is None:
            yield Problem("account_id", "is required for videos_only: the account to post on")

    def _quantity_problems(self) -> Iterator[Problem]:
        videos, edits = self.videos_quantity or 0, self.edits_quantity or 0
        if self.bundle_type == "account_only" and videos:
            yield Problem("videos_quantity", "account_only has no videos; leave it out", videos)
        if self.bundle_type != "account_only" and not videos:
            yield Problem("videos_quantity", f"is required for {self.bundle_type}: 1 to 500")
        if edits > videos:
            yield Problem("edits_quantity", f"must be at most videos_quantity ({videos})", edits)

    def _warming_problems(self) -> Iterator[Problem]:
        if self.bundle_type == "videos_only":
            for field in _SETUP_ONLY:
                if getattr(self, field):
                    yield Problem(field, "is for accounts to be set up, not for videos_only")
            return
        yield from warming_problems(
            [self.platform or "tiktok"],
            niche=self.wants_niche_warming,
            deep=self.wants_deep_warming,
            instructions=self.niche_warming_instructions,
        )


def warming_problems(
    platforms: Sequence[PlatformCode],
    *,
    niche: bool | None,
    deep: bool | None,
    instructions: str | None,
) -> Iterator[Problem]:
    """Yield what is wrong with the warming of accounts to be set up on these platforms."""
    if niche and not instructions:
        yield Problem("niche_warming_instructions", "is required with wants_niche_warming")
    if niche and deep:
        yield Problem("wants_deep_warming", "excludes wants_niche_warming; choose one")
    if deep and set(platforms) != {"instagram"}:
        yield Problem("wants_deep_warming", "is for Instagram only")


class CostBreakdown(msgspec.Struct, frozen=True):
    """What a bundle costs, part by part, in credits."""

    account_creation: int
    video_slots: int
    edit_slots: int
    niche_warming: int
    deep_warming: int
    moderation: int
    total: int


class Cost(msgspec.Struct, frozen=True):
    """What a bundle costs."""

    total: int
    breakdown: CostBreakdown


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle object; ``id`` and ``bundle_id`` are the same."""

    id: UUID
    bundle_id: UUID
    bundle_type: BundleType
    platform: PlatformCode
    country: str
    status: BundleStatus
    title: str | None
    external_ref: str | None
    videos_quantity: int
    edits_quantity: int
    edits_remaining: int
    auto_finalize_videos: bool
    review_mode: Literal["auto", "manual"]
    wants_niche_warming: bool
    wants_deep_warming: bool
    wants_moderation: bool
    niche_warming_instructions: str | None
    moderation_notice: str | None
    account_id: UUID | None
    account_status: ProfileStatus | None
    saved_account_id: UUID | None
    username: str | None
    account_configured: bool
    videos_configured_count: int
    videos_status_counts: dict[str, int]
    is_published: bool
    published_at: Timestamp | None
    accepted_at: Timestamp | None
    completed_at: Timestamp | None
    charge_state: Literal["paid", "reversed"]
    cost: Cost
    created_at: Timestamp
    updated_at: Timestamp


class PatchBundleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings to change: at least one. ``null`` takes a title or an external_ref away."""

    title: Text200 | UnsetType | None = UNSET
    external_ref: Text200 | UnsetType | None = UNSET
    auto_finalize_videos: bool | UnsetType = UNSET

    more_schema: ClassVar[dict[str, int]] = {"minProperties": 1}

    def problems(self) -> Iterator[Problem]:
        """Yield that nothing is to be changed."""
        if all(value is UNSET for value in msgspec.structs.astuple(self)):
            yield Problem(
                "body", "must have at least one of title, external_ref, auto_finalize_videos"
            )


class QuantityRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many to add."""

    quantity: Annotated[int, Meta(ge=1, le=500)]


class AddedSlots(msgspec.Struct, frozen=True, kw_only=True):
    """What was added, and what the bundle has now; ``positions`` are those of new video slots."""

    bundle_id: UUID
    added: int
    videos_quantity: int
    edits_quantity: int
    positions: list[int]


class ListBundlesQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exact filters of the list."""

    status: BundleStatus | None = None
    bundle_type: BundleType | None = None
    platform: Annotated[str, Meta(max_length=60)] | None = None
    external_ref: Text200 | None = None
    account_status: ProfileStatus | None = None
    country: Annotated[str, Meta(max_length=60)] | None = None


class ListAccountBundlesQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exact filter of an account's bundles."""

    status: BundleStatus | None = None


class Resolve(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who can clear a blocker, and by which call."""

    who: Literal["customer", "manager", "operator"]
    operation_id: str | None = None
    method: str | None = None
    path: str | None = None


class Hindrance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A blocker or a warning of readiness."""

    code: str
    message: str
    resolve: Resolve
    field: str | None = None
    fields: list[str] | None = None
    position: int | None = None


class Readiness(msgspec.Struct, frozen=True):
    """Whether publishing would succeed now, and if not, everything that is in the way."""

    ready: bool
    blockers: list[Hindrance]
    warnings: list[Hindrance]


class PublishedBundle(Bundle, frozen=True, kw_only=True):
    """The bundle object after publishing, with what publishing did."""

    videos_published: int
    videos_waiting_media: list[UUID]
    warnings: list[Hindrance]
    adjusted_videos: list[AdjustedVideo]


class ConfigureAccountRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The profile that the manager is to set up."""

    username: Username
    visible_name: Annotated[str, Meta(min_length=1, max_length=30)]
    biography: Annotated[str, Meta(max_length=80)] | None = None
    profile_picture_url: Annotated[str, Meta(max_length=2048)] | None = None
    link_in_bio: (
        Annotated[str, Meta(max_length=2048, description="http(s) URL; Instagram only.")] | None
    ) = None
    niche_warming_instructions: Text2000 | None = None

    not_offered: ClassVar[tuple[str, ...]] = ("wants_advanced_warming", "advanced_warming_terms")

    def problems(self) -> Iterator[Problem]:
        """Yield the rules that types and bounds cannot express."""
        link = self.link_in_bio
        if link and not _WEB_ADDRESS.fullmatch(link):
            yield Problem("link_in_bio", "must be an http or https URL with a host", link)


class CorrectionFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Feedback by field; it may carry the new wanted value."""

    username: Text2000 | None = None
    visible_name: Text2000 | None = None
    biography: Text2000 | None = None
    profile_picture: Text2000 | None = None
    link_in_bio: Text2000 | None = None


class AccountCorrectionsRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What is wrong with the account that was set up."""

    comment: Annotated[str, Meta(min_length=1, max_length=2000)]
    fields: CorrectionFields | None = None


class Deviation(msgspec.Struct, frozen=True):
    """A field in which the account differs from what was wanted."""

    field: str
    wanted: str | None
    actual: str | None


class ProfileCorrection(msgspec.Struct, frozen=True):
    """One round of corrections."""

    round: int
    comment: str
    fields: dict[str, str]
    requested_at: Timestamp
    resolved_at: Timestamp | None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile object of account configuration (contract section 7)."""

    id: UUID
    bundle_id: UUID
    account_id: UUID
    status: ProfileStatus
    username: str | None
    visible_name: str | None
    biography: str | None
    profile_picture_url: str | None
    link_in_bio: str | None
    niche_warming_instructions: str | None
    deviations: list[Deviation]
    corrections: list[ProfileCorrection]
    saved_account_id: UUID | None
    profile_url: str | None
    configured_at: Timestamp | None
    submitted_at: Timestamp | None
    review_deadline_at: Timestamp | None
    finalized_at: Timestamp | None
