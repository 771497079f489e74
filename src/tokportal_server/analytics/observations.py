"""What a provider has seen of an account, before it is stored (contract section 11).

A number that was not seen is absent from ``Reading.metrics``, and ``Reading.missing`` says why; it
is never 0 for want of knowing. Every provider speaks these types, and nothing else of a platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol, get_args
from uuid import UUID

Metric = Literal[
    "followers", "following", "posts", "views", "likes", "comments", "shares", "bookmarks"
]
Source = Literal["tiktok_api", "instagram_api", "manual", "simulator"]
MissingReason = Literal["not_supported", "not_yet", "no_permission", "provider_error", "plan_level"]

METRICS: Final[tuple[Metric, ...]] = get_args(Metric)
SOURCES: Final[tuple[Source, ...]] = get_args(Source)
# What a post can have; the others belong to an account only.
POST_METRICS: Final[tuple[Metric, ...]] = ("views", "likes", "comments", "shares", "bookmarks")


@dataclass(frozen=True, slots=True)
class Reading:
    """The metrics of one account or post at one moment, with the provider's own words.

    ``metrics`` are counts of at least 0. ``payload`` is the provider's JSON as it came, kept for
    the raw operations.
    """

    metrics: Mapping[Metric, int]
    missing: Mapping[Metric, MissingReason]
    payload: bytes


@dataclass(frozen=True, slots=True)
class PostReading:
    """A reading of one post; ``platform_post_id`` is the platform's own id."""

    platform_post_id: str
    platform_url: str
    description: str | None
    published_at: datetime | None
    reading: Reading


@dataclass(frozen=True, slots=True)
class CommentReading:
    """A comment under a post, as the platform's API gives it; ``id`` is the platform's own."""

    id: str
    platform_post_id: str
    author_handle: str
    text: str
    like_count: int | None
    reply_count: int | None
    posted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything that one collection brought; stored in one transaction or not at all."""

    source: Source
    collected_at: datetime
    account: Reading | None
    posts: Sequence[PostReading] = field(default=())
    comments: Sequence[CommentReading] = field(default=())


@dataclass(frozen=True, slots=True)
class TrackedPost:
    """A post that is tracked already; its platform id is unknown until a provider has named it."""

    id: UUID
    platform_post_id: str | None
    platform_url: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to collect of one account.

    ``posts`` are the tracked posts to read (None: whatever the provider lists); ``bootstrap`` also
    brings posts that are not tracked yet, newest first, ``post_limit`` in all.
    """

    workspace_id: UUID
    account_id: UUID
    platform: str
    username: str
    posts: Sequence[TrackedPost] | None
    include_posts: bool
    include_comments: bool
    bootstrap: bool
    post_limit: int


class AnalyticsProvider(Protocol):
    """Reads an account from an official API, from a person, or from the rehearsal's simulator."""

    @property
    def source(self) -> Source:
        """The name that its numbers carry."""
        ...

    async def collect(self, wanted: Wanted) -> Collected:
        """Read what is wanted; all of it or an error, never a half.

        Raises:
            ProviderFailedError: the provider is down, refuses, or may not be asked now.
        """
        ...


class ProviderFailedError(Exception):
    """A provider gave nothing; ``reason`` is for the customer, and says what would help."""

    def __init__(self, provider: Source, reason: str, *, retryable: bool) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.retryable = retryable
