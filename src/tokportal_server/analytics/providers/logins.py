"""Signing in at a platform: from a person's consent to tokens, and from old tokens to new ones.

Both platforms document the authorization code flow for servers, with a client secret and ``state``.
Neither documents PKCE for it (TikTok wants it from desktop and mobile apps only), so none is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Protocol
from urllib.parse import urlencode

import msgspec

from tokportal_server.analytics.observations import ProviderFailedError, Source
from tokportal_server.analytics.providers.api import ProviderApi, Reply, plain
from tokportal_server.lib.clock import real_now

_OK: Final = 200


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """What a platform gave for somebody's consent; times are real ones.

    ``refresh_token`` is None where the access token itself is exchanged for a new one. It has no
    ``repr`` that could end up in a log.
    """

    access_token: str
    refresh_token: str | None
    platform_user_id: str
    scopes: Sequence[str]
    expires_at: datetime
    refresh_expires_at: datetime | None


class Login(Protocol):
    """How one platform lets people consent, with the app that the operator has registered there.

    ``renew_before`` is how long before its end a token is exchanged.
    """

    source: ClassVar[Source]
    renew_before: ClassVar[timedelta]

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Give the platform's page at which a person consents."""
        ...

    async def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """Make tokens of a code.

        Raises:
            ProviderFailedError: the platform refuses it, or does not answer.
        """
        ...

    async def renew(self, grant: Grant) -> Grant:
        """Make new tokens of those at hand; errors as :meth:`exchange`."""
        ...


class _TikTokTokens(msgspec.Struct):
    access_token: str
    expires_in: int
    open_id: str
    refresh_token: str
    refresh_expires_in: int
    scope: str = ""


class _TikTokRefusal(msgspec.Struct):
    error: str
    error_description: str = ""


@dataclass(frozen=True, slots=True)
class TikTokLogin:
    """TikTok's Login Kit for Web and its OAuth v2 token endpoint."""

    source: ClassVar[Source] = "tiktok_api"
    renew_before: ClassVar[timedelta] = timedelta(hours=1)
    scopes: ClassVar[Sequence[str]] = (
        "user.info.basic",
        "user.info.profile",
        "user.info.stats",
        "video.list",
    )

    api: ProviderApi
    client_key: str
    client_secret: str

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Give TikTok's page of consent."""
        query = {
            "client_key": self.client_key,
            "response_type": "code",
            "scope": ",".join(self.scopes),
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"https://www.tiktok.com/v2/auth/authorize/?{urlencode(query, safe=',')}"

    async def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """Make tokens of a code; an access token lives for a day, a refresh token for a year."""
        return await self._tokens(
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        )

    async def renew(self, grant: Grant) -> Grant:
        """Use the refresh token, which may be a new one afterwards."""
        return await self._tokens(
            {"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""}
        )

    async def _tokens(self, fields: dict[str, str]) -> Grant:
        client = {"client_key": self.client_key, "client_secret": self.client_secret}
        reply = await self.api.post_form("/v2/oauth/token/", client | fields)
        # Refusals may come with status 200 as well.
        if "error" in reply.read(dict[str, msgspec.Raw]):
            refusal = reply.read(_TikTokRefusal)
            raise _refused(reply, refusal.error, refusal.error_description)
        told, now = reply.read(_TikTokTokens), real_now()
        return Grant(
            access_token=told.access_token,
            refresh_token=told.refresh_token,
            platform_user_id=told.open_id,
            scopes=[one for one in told.scope.split(",") if one],
            expires_at=now + timedelta(seconds=told.expires_in),
            refresh_expires_at=now + timedelta(seconds=told.refresh_expires_in),
        )


class _ShortToken(msgspec.Struct):
    access_token: str
    user_id: int | str
    permissions: str | list[str] = ""


class _ShortTokens(msgspec.Struct):
    """The same, in the list that the guide shows."""

    data: list[_ShortToken]


class _LongToken(msgspec.Struct):
    access_token: str
    expires_in: int


class _LoginRefusal(msgspec.Struct):
    error_message: str
    error_type: str = ""


class _GraphError(msgspec.Struct):
    message: str
    code: int = 0


class _GraphRefusal(msgspec.Struct):
    error: _GraphError


@dataclass(frozen=True, slots=True)
class InstagramLogin:
    """Business Login for Instagram: professional accounts alone, without a Facebook page.

    A code becomes a token for an hour, and that one for 60 days; before its end it is exchanged
    again, which Instagram allows from a day after it was made.
    """

    source: ClassVar[Source] = "instagram_api"
    renew_before: ClassVar[timedelta] = timedelta(days=14)
    scopes: ClassVar[Sequence[str]] = (
        "instagram_business_basic",
        "instagram_business_manage_insights",
        "instagram_business_manage_comments",
    )

    login: ProviderApi
    graph: ProviderApi
    app_id: str
    app_secret: str

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Give Instagram's page of consent."""
        query = {
            "client_id": self.app_id,
            "response_type": "code",
            "scope": ",".join(self.scopes),
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"https://www.instagram.com/oauth/authorize?{urlencode(query, safe=',')}"

    async def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """Make a token for 60 days of a code."""
        fields = {
            "client_id": self.app_id,
            "client_secret": self.app_secret,
            "grant_type": "authorization_code",
            "redirect_uri": redirect_uri,
            # Instagram appends "#_" to the address; some browsers send it along.
            "code": code.removesuffix("#_"),
        }
        reply = await self.login.post_form("/oauth/access_token", fields)
        if reply.status != _OK:
            raise _refused(reply, "", reply.read(_LoginRefusal).error_message)
        short = _short_token(reply)
        long = await self._long_token(
            "/access_token",
            {
                "grant_type": "ig_exchange_token",
                "client_secret": self.app_secret,
                "access_token": short.access_token,
            },
        )
        told = short.permissions
        return _instagram_grant(
            long, str(short.user_id), told.split(",") if isinstance(told, str) else told
        )

    async def renew(self, grant: Grant) -> Grant:
        """Exchange the token for one that lives for 60 days from now."""
        fields = {"grant_type": "ig_refresh_token", "access_token": grant.access_token}
        token = await self._long_token("/refresh_access_token", fields)
        return _instagram_grant(token, grant.platform_user_id, grant.scopes)

    async def _long_token(self, path: str, query: dict[str, str]) -> _LongToken:
        reply = await self.graph.get(path, query)
        if reply.status != _OK:
            error = reply.read(_GraphRefusal).error
            raise _refused(reply, str(error.code), error.message)
        return reply.read(_LongToken)


def _short_token(reply: Reply) -> _ShortToken:
    """Read a token in the shape of the guide or in that of the reference."""
    raw = reply.read(dict[str, msgspec.Raw])
    if "data" not in raw:
        return reply.read(_ShortToken)
    listed = reply.read(_ShortTokens).data
    if not listed:
        raise _refused(reply, "", "no token was given")
    return listed[0]


def _instagram_grant(token: _LongToken, user_id: str, scopes: Sequence[str]) -> Grant:
    return Grant(
        access_token=token.access_token,
        refresh_token=None,
        platform_user_id=user_id,
        scopes=[one.strip() for one in scopes if one.strip()],
        expires_at=real_now() + timedelta(seconds=token.expires_in),
        refresh_expires_at=None,
    )


def _refused(reply: Reply, code: str, message: str) -> ProviderFailedError:
    told = plain(" ".join(part for part in (code, message) if part))
    return ProviderFailedError(
        reply.source,
        f"the platform refused the sign-in ({told}); connect the account again",
        retryable=False,
    )
