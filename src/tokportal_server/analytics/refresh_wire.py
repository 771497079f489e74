"""Refreshes as contract section 11 has them. Its names are the reference's, in camel case."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.lib.clock import Timestamp

DEFAULT_POSTS: Final = 100
MOST_POSTS: Final = 500


class RefreshAnalyticsRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """What to collect; everything may be left out, and null says nothing."""

    force: Annotated[
        bool | None,
        Meta(description="Refresh though the last one is less than a day ago; not within an hour."),
    ] = None
    include_posts: Annotated[
        bool | None,
        Meta(description="Whether to read the tracked posts as well; true unless you say false."),
    ] = None
    include_comments: Annotated[
        bool | None,
        Meta(description="Whether to collect the comments under the posts that are read."),
    ] = None
    force_posts: Annotated[
        bool | None,
        Meta(description="Read posts though they were read within the last hour."),
    ] = None
    bootstrap_posts: Annotated[
        bool | None,
        Meta(description="Track posts of the account that are not tracked yet, newest first."),
    ] = None
    post_limit: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_POSTS)] | None,
        Meta(description=f"Most posts to read, the newest first; {DEFAULT_POSTS} unless you say."),
    ] = None

    @property
    def wants_posts(self) -> bool:
        """Whether posts are to be read: every wish that is about posts says so too."""
        asked = (self.include_comments, self.force_posts, self.bootstrap_posts)
        return self.include_posts is not False or any(asked)


class RefreshQuota(msgspec.Struct, frozen=True):
    """Refreshes of the workspace in the month of its clock; those under way count."""

    used: int
    limit: int
    resets_at: Timestamp


class RefreshResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh brought; in a dry run nothing was collected, so nothing is counted."""

    account_id: UUID
    refreshed_at: Timestamp | None
    posts_refreshed: int | None
    posts_imported: int | None
    comments_collected: int | None
    next_refresh_at: Timestamp | None
    quota: RefreshQuota


class RefreshAvailability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an account can be refreshed now; ``next_refresh_at`` is when waiting will help."""

    can_refresh: bool
    reason: Literal["cooldown", "quota", "running", "not_connected", "banned"] | None
    next_refresh_at: Timestamp | None
    quota: RefreshQuota
