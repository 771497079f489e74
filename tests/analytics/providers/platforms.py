"""TikTok's and Instagram's APIs on loopback, with the shapes of their documentation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Fault = Callable[[web.Request], web.Response | None]
LOG_ID = "20261123080000A1B2C3"


@dataclass
class FakeTikTok:
    """The Display API and the token endpoint of one app, with one account on it."""

    url: str = ""
    username: str = "acme.daily"
    stats: dict[str, int] = field(
        default_factory=lambda: {
            "follower_count": 1200,
            "following_count": 30,
            "likes_count": 5600,
            "video_count": 2,
        }
    )
    videos: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {"act.1"})
    refresh_tokens: set[str] = field(default_factory=lambda: {"rft.1"})
    codes: set[str] = field(default_factory=lambda: {"code.1"})
    scopes: str = "user.info.basic,user.info.profile,user.info.stats,video.list"
    # Asked of every request; an answer of theirs comes instead of ours.
    faults: list[Fault] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    # The next requests, one each, say that they have come, and wait.
    gates: list[tuple[asyncio.Event, asyncio.Event]] = field(default_factory=list)
    renewals: int = 0

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._watched])
        app.router.add_get("/v2/user/info/", self._user)
        app.router.add_post("/v2/video/list/", self._list)
        app.router.add_post("/v2/video/query/", self._query)
        app.router.add_post("/v2/oauth/token/", self._token)
        return app

    @web.middleware
    async def _watched(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        if self.gates:
            begun, go_on = self.gates.pop()
            begun.set()
            await go_on.wait()
        for fault in list(self.faults):
            if (answer := fault(request)) is not None:
                return answer
        answer = await handler(request)
        assert isinstance(answer, web.StreamResponse)
        return answer

    def _refused(self, request: web.Request) -> web.Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in self.tokens:
            return None
        return tiktok_error("access_token_invalid", "The access token is invalid.", 401)

    async def _user(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        fields = request.query["fields"].split(",")
        known = {"open_id": "u-1", "display_name": "Acme", "username": self.username, **self.stats}
        return tiktok_ok({"user": {name: known[name] for name in fields}})

    async def _list(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        body = await request.json()
        self.bodies.append(body)
        start = body.get("cursor", 0)
        shown = self.videos[start : start + body["max_count"]]
        end = start + len(shown)
        return tiktok_ok({"videos": shown, "cursor": end, "has_more": end < len(self.videos)})

    async def _query(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        body = await request.json()
        self.bodies.append(body)
        asked = body["filters"]["video_ids"]
        assert len(asked) <= 20
        return tiktok_ok({"videos": [one for one in self.videos if one["id"] in asked]})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert (form["client_key"], form["client_secret"]) == ("key", "secret")
        if form["grant_type"] == "authorization_code" and form["code"] in self.codes:
            self.codes.discard(str(form["code"]))
            return self._grant()
        if form["grant_type"] == "refresh_token" and form["refresh_token"] in self.refresh_tokens:
            self.refresh_tokens.discard(str(form["refresh_token"]))
            return self._grant()
        body = {"error": "invalid_grant", "error_description": "It is expired.", "log_id": LOG_ID}
        return web.json_response(body, status=400)

    def _grant(self) -> web.Response:
        self.renewals += 1
        access, refresh = f"act.r{self.renewals}", f"rft.r{self.renewals}"
        self.tokens.add(access)
        self.refresh_tokens.add(refresh)
        return web.json_response(
            {
                "access_token": access,
                "expires_in": 86400,
                "open_id": "u-1",
                "refresh_expires_in": 31536000,
                "refresh_token": refresh,
                "scope": self.scopes,
                "token_type": "Bearer",
            }
        )


def tiktok_ok(data: Mapping[str, Any]) -> web.Response:
    error = {"code": "ok", "message": "", "log_id": LOG_ID}
    return web.json_response({"data": data, "error": error})


def tiktok_error(code: str, message: str, status: int) -> web.Response:
    error = {"code": code, "message": message, "log_id": LOG_ID}
    return web.json_response({"data": {}, "error": error}, status=status)


def tiktok_video(number: int, **numbers: int) -> dict[str, Any]:
    """Give a video as the API shows it."""
    video_id = f"{7_300_000_000_000_000_000 + number}"
    return {
        "id": video_id,
        "create_time": 1_760_000_000 + number,
        "share_url": f"https://www.tiktok.com/@acme.daily/video/{video_id}?utm_campaign=tt4d",
        "video_description": f"Video {number}",
        "title": "",
        "view_count": 100 + number,
        "like_count": 10,
        "comment_count": 3,
        "share_count": 2,
        **numbers,
    }


@dataclass
class FakeInstagram:
    """The Graph API and both token endpoints of one app, with one account on it."""

    url: str = ""
    username: str = "acme.daily"
    media: list[dict[str, Any]] = field(default_factory=list)
    # By media id: the insights, or the error in their place.
    insights: dict[str, dict[str, int] | web.Response] = field(default_factory=dict)
    comments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {"IGAA.1"})
    codes: set[str] = field(default_factory=lambda: {"code.1"})
    permissions: str = (
        "instagram_business_basic,instagram_business_manage_insights,"
        "instagram_business_manage_comments"
    )
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    page: int = 2
    renewals: int = 0

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._watched])
        app.router.add_get("/v23.0/me", self._me)
        app.router.add_get("/v23.0/me/insights", self._own_insights)
        app.router.add_get("/v23.0/me/media", self._media)
        app.router.add_get("/v23.0/{media}/insights", self._insights)
        app.router.add_get("/v23.0/{media}/comments", self._comments)
        app.router.add_get("/access_token", self._long)
        app.router.add_get("/refresh_access_token", self._renew)
        app.router.add_post("/oauth/access_token", self._short)
        return app

    @web.middleware
    async def _watched(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        for fault in list(self.faults):
            if (answer := fault(request)) is not None:
                return answer
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path.startswith("/v23.0/") and token not in self.tokens:
            return graph_error(190, "Error validating access token: Session has expired", 401)
        answer = await handler(request)
        assert isinstance(answer, web.StreamResponse)
        answer.headers.update(self.headers)
        return answer

    async def _me(self, request: web.Request) -> web.Response:
        known = {
            "user_id": "17841400000000001",
            "username": self.username,
            "followers_count": 340,
            "follows_count": 12,
            "media_count": len(self.media),
            "id": "9000",
        }
        fields = request.query["fields"].split(",")
        return web.json_response({name: known[name] for name in (*fields, "id")})

    async def _own_insights(self, _: web.Request) -> web.Response:
        total = {"name": "views", "period": "day", "total_value": {"value": 77}, "id": "x"}
        return web.json_response({"data": [total]})

    async def _media(self, request: web.Request) -> web.Response:
        return self._paged(request, self.media)

    async def _insights(self, request: web.Request) -> web.Response:
        found = self.insights.get(request.match_info["media"], {})
        if isinstance(found, web.Response):
            return web.Response(
                body=found.body, status=found.status, content_type="application/json"
            )
        return web.json_response(
            {
                "data": [
                    {"name": name, "period": "lifetime", "values": [{"value": n}], "id": name}
                    for name, n in found.items()
                ]
            }
        )

    async def _comments(self, request: web.Request) -> web.Response:
        return self._paged(request, self.comments.get(request.match_info["media"], []))

    def _paged(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        start = int(request.query.get("after", "0"))
        end = start + self.page
        body: dict[str, Any] = {"data": items[start:end]}
        if items:
            body["paging"] = {"cursors": {"before": str(start), "after": str(end)}}
            if end < len(items):
                body["paging"]["next"] = f"{self.url}{request.path}?after={end}"
        return web.json_response(body)

    async def _short(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert (form["client_id"], form["client_secret"]) == ("app", "secret")
        if form["code"] not in self.codes:
            body = {
                "error_type": "OAuthException",
                "code": 400,
                "error_message": "Matching code was not found or was already used",
            }
            return web.json_response(body, status=400)
        self.codes.discard(str(form["code"]))
        token = {"access_token": "short", "user_id": 17841, "permissions": self.permissions}
        return web.json_response({"data": [token]})

    async def _long(self, request: web.Request) -> web.Response:
        query = request.query
        assert (query["grant_type"], query["client_secret"]) == ("ig_exchange_token", "secret")
        assert query["access_token"] == "short"
        return self._token()

    async def _renew(self, request: web.Request) -> web.Response:
        if request.query["access_token"] not in self.tokens:
            return graph_error(190, "The access token could not be decrypted", 400)
        return self._token()

    def _token(self) -> web.Response:
        self.renewals += 1
        token = f"IGAA.r{self.renewals}"
        self.tokens.add(token)
        body = {"access_token": token, "token_type": "bearer", "expires_in": 5183944}
        return web.json_response(body)


def graph_error(code: int, message: str, status: int, **more: Any) -> web.Response:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1", **more}
    return web.json_response({"error": error}, status=status)


def instagram_media(number: int, **more: Any) -> dict[str, Any]:
    """Give a reel as the API shows it."""
    return {
        "id": f"1790000000000{number:04d}",
        "caption": f"Reel {number}",
        "media_type": "VIDEO",
        "media_product_type": "REELS",
        "permalink": f"https://www.instagram.com/reel/Cabc{number:07d}/",
        "shortcode": f"Cabc{number:07d}",
        "timestamp": "2026-11-20T08:00:00+0000",
        "like_count": 20 + number,
        "comments_count": 2,
        **more,
    }


@asynccontextmanager
async def running(fake: FakeTikTok | FakeInstagram) -> AsyncIterator[None]:
    """Serve a platform on loopback while the block lasts."""
    runner = web.AppRunner(fake.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield
    finally:
        await runner.cleanup()


def times(count: int, fault: Callable[[], web.Response], *, path: str = "") -> Fault:
    """Make a fault that answers the first ``count`` requests whose path holds ``path``."""
    left = [count]

    def answer(request: web.Request) -> web.Response | None:
        if path not in request.path or left[0] <= 0:
            return None
        left[0] -= 1
        return fault()

    return answer
