"""``createBundlesBulk``: many accounts ordered in one call (contract section 6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.bundles.wire import (
    BundleType,
    CreateBundleRequest,
    PlatformCode,
    Text2000,
    warming_problems,
)
from tokportal_server.http.validation import Problem
from tokportal_server.orders.states import BundleStatus

MOST_SLOTS: Final = 10_000


class CreateBulkBundlesRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Accounts to order on each of the platforms, the first of them with videos."""

    platforms: Annotated[list[PlatformCode], Meta(min_length=1, max_length=2)]
    country: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=60,
            description="A code of GET /countries, an ISO code or an English name.",
            examples=["USA"],
        ),
    ]
    accounts_count: Annotated[int, Meta(ge=1, le=100, description="For each platform.")]
    upload_accounts_count: (
        Annotated[
            int,
            Meta(ge=0, le=100, description="How many of them, for each platform, have videos."),
        ]
        | None
    ) = None
    videos_per_account: Annotated[int, Meta(ge=0, le=500)] | None = None
    wants_niche_warming: bool | None = None
    niche_warming_instructions: Text2000 | None = None
    wants_deep_warming: bool | None = None
    auto_finalize_videos: bool | None = None
    external_ref: (
        Annotated[
            str,
            Meta(max_length=190, description="Each bundle gets it with -1, -2 and so on."),
        ]
        | None
    ) = None

    not_offered: ClassVar[tuple[str, ...]] = ("wants_advanced_warming", "advanced_warming_terms")

    def problems(self) -> Iterator[Problem]:
        """Yield the rules between the fields."""
        if len(set(self.platforms)) < len(self.platforms):
            yield Problem("platforms", "must not name a platform twice")
        yield from self._video_problems()
        yield from warming_problems(
            self.platforms,
            niche=self.wants_niche_warming,
            deep=self.wants_deep_warming,
            instructions=self.niche_warming_instructions,
        )

    def _video_problems(self) -> Iterator[Problem]:
        uploads, videos = self.upload_accounts_count or 0, self.videos_per_account or 0
        if uploads > self.accounts_count:
            yield Problem(
                "upload_accounts_count",
                f"must be at most accounts_count ({self.accounts_count})",
                uploads,
            )
        if uploads and not videos:
            yield Problem("videos_per_account", "is required with upload_accounts_count: 1 to 500")
        if videos and not uploads:
            yield Problem(
                "videos_per_account",
                "needs upload_accounts_count, which says how many accounts have videos",
                videos,
            )
        total = len(self.platforms) * uploads * videos
        if total > MOST_SLOTS:
            yield Problem(
                "videos_per_account",
                f"makes {total} slots in all; a call orders at most {MOST_SLOTS}. Make several",
                videos,
            )

    def orders(self) -> list[CreateBundleRequest]:
        """Give each bundle's order, in the order of the platforms, those with videos first."""
        with_videos = self.upload_accounts_count or 0
        return [
            CreateBundleRequest(
                bundle_type="account_and_videos" if n < with_videos else "account_only",
                platform=platform,
                videos_quantity=self.videos_per_account if n < with_videos else None,
                wants_niche_warming=self.wants_niche_warming,
                niche_warming_instructions=self.niche_warming_instructions,
                wants_deep_warming=self.wants_deep_warming,
                auto_finalize_videos=self.auto_finalize_videos,
                external_ref=f"{self.external_ref}-{turn}" if self.external_ref else None,
            )
            for turn, (platform, n) in enumerate(
                ((platform, n) for platform in self.platforms for n in range(self.accounts_count)),
                start=1,
            )
        ]


class BulkBundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle of a bulk order; ``id`` and ``bundle_id`` are the same."""

    id: UUID
    bundle_id: UUID
    bundle_type: BundleType
    platform: PlatformCode
    country: str
    status: BundleStatus
    external_ref: str | None


class BulkOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a bulk call ordered."""

    bundles: list[BulkBundle]
    total_bundles: int
    total_videos: int
