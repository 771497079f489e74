"""Instagram's Graph API (Instagram Login): a professional account, its media, insights, comments.

Insights come one call for each post, so they are asked for a few at a time. Data may be two days
late: the API answers an empty set then, which is "not yet" and never 0. Stories are not among an
account's media. Permissions are granted one by one, as on TikTok.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from tokportal_server.analytics.connections import Connections
from tokportal_server.analytics.observations import (
    Collected,
    CommentReading,
    Metric,
    MissingReason,
    PostReading,
    ProviderFailedError,
    Reading,
    Source,
    TrackedPost,
    Wanted,
)
from tokportal_server.analytics.providers.api import PlatformId, ProviderApi, Reply
from tokportal_server.analytics.providers.graph import Graph, GraphRefusedError, TokenEndedError
from tokportal_server.analytics.providers.readings import reading
from tokportal_server.lib.clock import real_now
from tokportal_server.orders.post_urls import is_post_url, post_key

_INSIGHTS: Final = "instagram_business_manage_insights"
COMMENTS_SCOPE: Final = "instagram_business_manage_comments"
_MEDIA_FIELDS: Final = (
    "id,caption,media_type,media_product_type,permalink,shortcode,timestamp,like_count,"
    "comments_count"
)
_COMMENT_FIELDS: Final = "id,text,username,timestamp,like_count,replies{id}"
_OF_ACCOUNT: Final[Mapping[str, Metric]] = {
    "followers_count": "followers",
    "follows_count": "following",
    "media_count": "posts",
}
_NEVER_OF_ACCOUNT: Final[tuple[Metric, ...]] = ("views", "likes", "comments", "shares", "bookmarks")
_OF_INSIGHTS: Final[Mapping[str, Metric]] = {
    "views": "views",
    "likes": "likes",
    "comments": "comments",
    "shares": "shares",
    "saved": "bookmarks",
}
_MEDIA_PAGE: Final = 50
# Nobody's tracked posts are looked for further back than this.
_MOST_MEDIA: Final = 2000
_AT_ONCE: Final = 4
_MOST_COMMENTS: Final = 200
# The account was no professional one yet when the post was made.
_BEFORE_CONVERSION: Final = 2108006
_TOO_FEW_VIEWERS: Final = "not enough viewers"
_T = TypeVar("_T")


class _Account(msgspec.Struct):
    username: str = ""
    followers_count: int | None = None
    follows_count: int | None = None
    media_count: int | None = None


class _Media(msgspec.Struct):
    id: PlatformId
    permalink: str | None = None
    shortcode: str | None = None
    caption: str | None = None
    timestamp: str | None = None
    like_count: int | None = None
    comments_count: int | None = None


class _Value(msgspec.Struct):
    value: int | None = None


class _Insight(msgspec.Struct):
    name: str
    values: list[_Value] = []
    total_value: _Value | None = None


class _Insights(msgspec.Struct):
    data: list[_Insight] = []


class _Replies(msgspec.Struct):
    data: list[msgspec.Raw] = []
    paging: msgspec.Raw | None = None


class GraphComment(msgspec.Struct):
    """A comment under one's own media, as the API gives it."""

    id: PlatformId
    text: str = ""
    username: str = ""
    timestamp: str | None = None
    like_count: int | None = None
    replies: _Replies | None = None


@dataclass(frozen=True, slots=True)
class Instagram:
    """Reads connected professional Instagram accounts."""

    source: ClassVar[Source] = "instagram_api"

    api: ProviderApi
    connections: Connections

    async def collect(self, wanted: Wanted) -> Collected:
        """Read an account, its media and their comments, as far as was consented.

        Raises:
            ProviderFailedError: see ``AnalyticsProvider``.
        """
        access = await self.connections.access(self.source, wanted.workspace_id, wanted.account_id)
        session = _Session(Graph(self.api, access.token), access.scopes)
        try:
            account = await session.account()
            media = await session.media(wanted) if wanted.include_posts else []
            posts = await _a_few_at_once([session.post(one) for one in media])
            comments = []
            if wanted.include_comments and COMMENTS_SCOPE in access.scopes:
                comments = await _a_few_at_once([session.comments(one) for one in media])
        except GraphRefusedError as error:
            raise error.failure() from None
        except TokenEndedError as error:
            raise await self.connections.ended(self.source, access, str(error)) from None
        return Collected(
            source=self.source,
            collected_at=real_now(),
            account=account,
            posts=posts,
            comments=[one for listed in comments for one in listed],
        )

    async def username(self, token: str) -> str:
        """Give the name of the account that a token is for.

        Raises:
            ProviderFailedError: the API does not answer, or refuses the token.
        """
        try:
            reply = await Graph(self.api, token).get("/me", {"fields": "user_id,username"})
        except GraphRefusedError as error:
            raise error.failure() from None
        except TokenEndedError as error:
            raise ProviderFailedError(self.source, str(error), retryable=False) from None
        return reply.read(_Account).username


@dataclass(frozen=True, slots=True)
class _Found:
    """One of the account's media, with what came of it."""

    reply: Reply
    raw: msgspec.Raw
    media: _Media
    tracked: TrackedPost | None

    @property
    def known_id(self) -> str:
        """The id that the post is tracked by: the API's, unless a person was first to name it."""
        return (self.tracked and self.tracked.platform_post_id) or self.media.id


@dataclass(frozen=True, slots=True)
class _Session:
    """One collection."""

    graph: Graph
    scopes: frozenset[str]

    async def account(self) -> Reading:
        fields = ",".join(("user_id", "username", *_OF_ACCOUNT))
        reply = await self.graph.get("/me", {"fields": fields})
        account = reply.read(_Account)
        found = {metric: getattr(account, name) for name, metric in _OF_ACCOUNT.items()}
        payload = _joined(account=reply.body, insights=await self._account_insights())
        return reading(found, payload, absent="not_yet", never=_NEVER_OF_ACCOUNT)

    async def _account_insights(self) -> bytes | None:
        """Give the account's own insights of the last day; they are kept as they came.

        They count days and not the whole, so none of our counters can be made of them.
        """
        if _INSIGHTS not in self.scopes:
            return None
        query = {
            "metric": "views,reach,likes,comments,shares,saves",
            "period": "day",
            "metric_type": "total_value",
        }
        try:
            return (await self.graph.get("/me/insights", query)).body
        except GraphRefusedError:
            return None

    async def media(self, wanted: Wanted) -> list[_Found]:
        """Walk through the account's media, newest first, until all that is wanted was seen."""
        tracked = {_key(post): post for post in wanted.posts or ()}
        missing = set(tracked)
        everything = wanted.bootstrap or wanted.posts is None
        found: list[_Found] = []
        seen = 0
        if not everything and not missing:
            return found
        query = {"fields": _MEDIA_FIELDS, "limit": str(_MEDIA_PAGE)}
        async for reply, items in self.graph.pages("/me/media", query):
            for raw in items:
                seen += 1
                one = _found(reply, raw, tracked)
                missing -= {one.media.shortcode, one.media.id}
                if one.tracked is not None or (everything and seen <= wanted.post_limit):
                    found.append(one)
            if seen >= _MOST_MEDIA or (
                not missing and (not everything or seen >= wanted.post_limit)
            ):
                break
        return found

    async def post(self, found: _Found) -> PostReading:
        media = found.media
        raw, numbers, reason = await self._insights(found)
        numbers["likes"] = _known(media.like_count, numbers["likes"])
        numbers["comments"] = _known(media.comments_count, numbers["comments"])
        payload = _joined(media=bytes(found.raw), insights=raw)
        return PostReading(
            platform_post_id=found.known_id,
            platform_url=_address(found),
            description=media.caption,
            published_at=_moment(media.timestamp),
            reading=reading(numbers, payload, absent=reason),
        )

    async def _insights(
        self, found: _Found
    ) -> tuple[bytes | None, dict[Metric, int | None], MissingReason]:
        numbers: dict[Metric, int | None] = dict.fromkeys(_OF_INSIGHTS.values())
        if _INSIGHTS not in self.scopes:
            return None, numbers, "no_permission"
        query = {"metric": ",".join(_OF_INSIGHTS)}
        try:
            reply = await self.graph.get(f"/{found.media.id}/insights", query)
        except GraphRefusedError as error:
            return None, numbers, _why_none(error)
        for insight in reply.read(_Insights).data:
            metric = _OF_INSIGHTS.get(insight.name)
            value = insight.total_value or next(iter(insight.values), None)
            if metric is not None and value is not None:
                numbers[metric] = value.value
        return reply.body, numbers, "not_yet"

    async def comments(self, found: _Found) -> list[CommentReading]:
        listed: list[CommentReading] = []
        if found.media.comments_count == 0:
            return listed
        async for comment in comments_of(self.graph, found.media.id, most=_MOST_COMMENTS):
            replies = comment.replies
            whole = replies is None or replies.paging is None
            listed.append(
                CommentReading(
                    id=comment.id,
                    platform_post_id=found.known_id,
                    author_handle=comment.username,
                    text=comment.text,
                    like_count=comment.like_count,
                    # Only the first page of replies is there to be counted.
                    reply_count=len(replies.data if replies else ()) if whole else None,
                    posted_at=_moment(comment.timestamp),
                )
            )
        return listed


async def comments_of(graph: Graph, media_id: str, *, most: int) -> AsyncIterator[GraphComment]:
    """Give the comments under one of the account's own media, ``most`` of them.

    Raises:
        GraphRefusedError, TokenEndedError, ProviderFailedError: as ``Graph.get``.
    """
    given = 0
    query = {"fields": _COMMENT_FIELDS, "limit": "50"}
    async for reply, items in graph.pages(f"/{media_id}/comments", query):
        for raw in items:
            yield reply.read_part(raw, GraphComment)
            given += 1
            if given >= most:
                return


async def find_media(graph: Graph, known_id: str | None, shortcode: str) -> str | None:
    """Give the API's id of one of the account's posts, or None if it is not there any more.

    ``known_id`` is the id that the post is tracked by, which may be its short code. Errors as
    :func:`comments_of`.
    """
    if known_id is not None and known_id.isdigit():
        return known_id
    seen = 0
    query = {"fields": "id,shortcode", "limit": str(_MEDIA_PAGE)}
    async for reply, items in graph.pages("/me/media", query):
        for raw in items:
            media = reply.read_part(raw, _Media)
            if media.shortcode == shortcode:
                return media.id
        seen += len(items)
        if seen >= _MOST_MEDIA:
            break
    return None


async def _a_few_at_once(steps: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Await all, a few at a time, in their order; if one fails, the others are not begun."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(step: Coroutine[Any, Any, _T]) -> _T:
        async with gate:
            return await step

    tasks = [asyncio.ensure_future(one(step)) for step in steps]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for step in steps:
            # Those that were never begun would be warned about.
            step.close()


def _found(reply: Reply, raw: msgspec.Raw, tracked: Mapping[str, TrackedPost]) -> _Found:
    media = reply.read_part(raw, _Media)
    post = tracked.get(media.id) or tracked.get(media.shortcode or "")
    return _Found(reply, raw, media, post)


def _key(post: TrackedPost) -> str:
    """Give what one of the account's media is known by: its id, or its short code before that."""
    return post.platform_post_id or post_key("instagram", post.platform_url)


def _address(found: _Found) -> str:
    if found.tracked is not None:
        return found.tracked.platform_url
    media = found.media
    offered = (media.permalink or "", f"https://www.instagram.com/p/{media.shortcode}/")
    fit = (url for url in offered if is_post_url("instagram", url) and url.isprintable())
    return next(fit, f"https://www.instagram.com/p/{media.id}/")


def _known(own: int | None, of_insights: int | None) -> int | None:
    """Prefer what the post itself says; a count that its owner hides is in the insights alone."""
    return of_insights if own is None else own


def _why_none(error: GraphRefusedError) -> MissingReason:
    if _TOO_FEW_VIEWERS in error.message.lower():
        return "not_yet"
    if error.subcode == _BEFORE_CONVERSION:
        return "not_supported"
    return "no_permission" if error.is_permission else "provider_error"


def _moment(text: str | None) -> datetime | None:
    """Read a time as the API writes it: ``2026-11-23T08:00:00+0000``."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _joined(**parts: bytes | None) -> bytes:
    """Put replies together as one JSON object, each as it came."""
    return msgspec.json.encode(
        {name: None if part is None else msgspec.Raw(part) for name, part in parts.items()}
    )
