"""TikTok's Display API v2: an account's profile and statistics, and its public videos.

It has no comments and no bookmarks, and knows only accounts that have consented. Scopes are granted
one by one: what was not granted is missing with that reason, and nothing else fails for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import ClassVar, Final

import msgspec

from tokportal_server.analytics.connections import Access, Connections
from tokportal_server.analytics.observations import (
    Collected,
    Metric,
    MissingReason,
    PostReading,
    ProviderFailedError,
    Reading,
    Source,
    TrackedPost,
    Wanted,
)
from tokportal_server.analytics.providers.api import PlatformId, ProviderApi, Reply, plain
from tokportal_server.analytics.providers.readings import reading, unpermitted
from tokportal_server.lib.clock import real_now
from tokportal_server.orders.post_urls import is_post_url, post_key

_STATS: Final = "user.info.stats"
_PROFILE: Final = "user.info.profile"
_VIDEOS: Final = "video.list"
_VIDEO_FIELDS: Final = (
    "id,create_time,share_url,video_description,title,view_count,like_count,comment_count,"
    "share_count"
)
_PAGE: Final = 20
_OK: Final = "ok"
# The limits count within a sliding minute.
_LIMIT_PAUSE: Final = timedelta(minutes=1)
_OF_ACCOUNT: Final[Mapping[str, Metric]] = {
    "follower_count": "followers",
    "following_count": "following",
    "likes_count": "likes",
    "video_count": "posts",
}
_OF_VIDEO: Final[Mapping[str, Metric]] = {
    "view_count": "views",
    "like_count": "likes",
    "comment_count": "comments",
    "share_count": "shares",
}
_NEVER_OF_ACCOUNT: Final[tuple[Metric, ...]] = ("views", "comments", "shares", "bookmarks")
_NEVER_OF_VIDEO: Final[tuple[Metric, ...]] = ("bookmarks",)


class _Error(msgspec.Struct):
    code: str
    message: str = ""
    log_id: str = ""


class _Head(msgspec.Struct):
    error: _Error


class _UserData(msgspec.Struct):
    user: msgspec.Raw


class _UserReply(msgspec.Struct):
    data: _UserData


class _User(msgspec.Struct):
    open_id: str = ""
    username: str | None = None
    follower_count: int | None = None
    following_count: int | None = None
    likes_count: int | None = None
    video_count: int | None = None


class _VideoPage(msgspec.Struct):
    videos: list[msgspec.Raw] = []
    cursor: int | None = None
    has_more: bool = False


class _VideoReply(msgspec.Struct):
    data: _VideoPage


class _Video(msgspec.Struct):
    id: PlatformId
    create_time: int | None = None
    share_url: str | None = None
    video_description: str | None = None
    title: str | None = None
    view_count: int | None = None
    like_count: int | None = None
    comment_count: int | None = None
    share_count: int | None = None


@dataclass(frozen=True, slots=True)
class TikTok:
    """Reads connected TikTok accounts."""

    source: ClassVar[Source] = "tiktok_api"

    api: ProviderApi
    connections: Connections

    async def collect(self, wanted: Wanted) -> Collected:
        """Read an account and its videos; the API gives no comments.

        Raises:
            ProviderFailedError: see ``AnalyticsProvider``.
        """
        access = await self.connections.access(self.source, wanted.workspace_id, wanted.account_id)
        session = _Session(self, access)
        account = await session.account()
        posts = await session.posts(wanted) if wanted.include_posts else []
        return Collected(source=self.source, collected_at=real_now(), account=account, posts=posts)

    async def username(self, token: str, scopes: frozenset[str]) -> str | None:
        """Give the name of the account that a token is for, or None if that was not consented to.

        Raises:
            ProviderFailedError: the API does not answer, or refuses the token.
        """
        if _PROFILE not in scopes:
            return None
        reply = await self.api.get("/v2/user/info/", {"fields": "open_id,username"}, token=token)
        _require_ok(reply)
        return reply.read_part(reply.read(_UserReply).data.user, _User).username


@dataclass(slots=True)
class _Session:
    """One collection; its token is renewed once if TikTok takes it no longer."""

    provider: TikTok
    access: Access

    async def account(self) -> Reading:
        fields = ["open_id", "display_name"]
        if _PROFILE in self.access.scopes:
            fields.append("username")
        if _STATS in self.access.scopes:
            fields.extend(_OF_ACCOUNT)
        query = {"fields": ",".join(fields)}
        reply = await self._call(
            lambda token: self.provider.api.get("/v2/user/info/", query, token=token)
        )
        raw = reply.read(_UserReply).data.user
        user = reply.read_part(raw, _User)
        found = {metric: getattr(user, name) for name, metric in _OF_ACCOUNT.items()}
        reason: MissingReason = "not_yet" if _STATS in self.access.scopes else "no_permission"
        return reading(found, bytes(raw), absent=reason, never=_NEVER_OF_ACCOUNT)

    async def posts(self, wanted: Wanted) -> list[PostReading]:
        if _VIDEOS not in self.access.scopes:
            known = [(one, _video_id(one)) for one in wanted.posts or ()]
            return [unpermitted(one, number) for one, number in known if number is not None]
        listed = []
        if wanted.bootstrap or wanted.posts is None:
            listed = await self._listed(wanted.post_limit)
        seen = {post.platform_post_id for post in listed}
        asked = [i for i in map(_video_id, wanted.posts or ()) if i is not None and i not in seen]
        return listed + await self._queried(asked)

    async def _listed(self, limit: int) -> list[PostReading]:
        """Give the newest videos, page by page."""
        found: list[PostReading] = []
        cursor: int | None = None
        while len(found) < limit:
            body = {"max_count": _PAGE} | ({} if cursor is None else {"cursor": cursor})
            reply = await self._videos("/v2/video/list/", body)
            page = reply.read(_VideoReply).data
            found += [_post(reply, raw) for raw in page.videos]
            # A cursor that does not move would never come to an end.
            if not page.has_more or page.cursor is None or page.cursor == cursor:
                break
            cursor = page.cursor
        return found[:limit]

    async def _queried(self, ids: Sequence[str]) -> list[PostReading]:
        """Give those of the account's videos with these ids that are still there."""
        found: list[PostReading] = []
        for start in range(0, len(ids), _PAGE):
            body = {"filters": {"video_ids": ids[start : start + _PAGE]}}
            reply = await self._videos("/v2/video/query/", body)
            found += [_post(reply, raw) for raw in reply.read(_VideoReply).data.videos]
        return found

    async def _videos(self, path: str, body: Mapping[str, object]) -> Reply:
        query = {"fields": _VIDEO_FIELDS}
        return await self._call(
            lambda token: self.provider.api.post_json(path, query, body, token=token)
        )

    async def _call(self, send: Callable[[str], Awaitable[Reply]]) -> Reply:
        reply = await send(self.access.token)
        if _error_code(reply) == "access_token_invalid":
            self.access = await self.provider.connections.renewed(self.provider.source, self.access)
            reply = await send(self.access.token)
        if _error_code(reply) == "rate_limit_exceeded":
            await self.provider.api.budget.pause(
                _LIMIT_PAUSE, "TikTok's limit of calls was reached"
            )
        _require_ok(reply)
        return reply


def _error_code(reply: Reply) -> str:
    return reply.read(_Head).error.code


def _require_ok(reply: Reply) -> None:
    error = reply.read(_Head).error
    if error.code == _OK and reply.status == HTTPStatus.OK:
        return
    raise ProviderFailedError(
        reply.source,
        f"TikTok answered {plain(error.code)}: {plain(error.message)}"
        f" (log id {plain(error.log_id)})",
        # The token was renewed by then, so being refused once more is final.
        retryable=error.code in ("rate_limit_exceeded", "internal_error"),
    )


def _post(reply: Reply, raw: msgspec.Raw) -> PostReading:
    video = reply.read_part(raw, _Video)
    found = {metric: getattr(video, name) for name, metric in _OF_VIDEO.items()}
    return PostReading(
        platform_post_id=video.id,
        platform_url=_address(video),
        description=video.video_description or video.title,
        published_at=datetime.fromtimestamp(video.create_time, UTC) if video.create_time else None,
        reading=reading(found, bytes(raw), absent="not_yet", never=_NEVER_OF_VIDEO),
    )


def _address(video: _Video) -> str:
    """Give the address of a video without what TikTok adds to count who follows it."""
    url = (video.share_url or "").partition("?")[0]
    known = is_post_url("tiktok", url) and url.isprintable()
    return url if known else f"https://www.tiktok.com/@/video/{video.id}"


def _video_id(post: TrackedPost) -> str | None:
    """Give TikTok's id of a tracked post; a short link does not tell it."""
    if post.platform_post_id is not None:
        return post.platform_post_id
    key = post_key("tiktok", post.platform_url)
    return key if key.isdigit() else None
