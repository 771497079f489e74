"""Calling a platform's API: within its budget, with time limits, again where that can help."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from tokportal_server.analytics.observations import ProviderFailedError, Source
from tokportal_server.analytics.providers.budget import Budget
from tokportal_server.lib.outbound import Answer, OutboundFailure, OutboundPort

# Seconds between the attempts of one call; what is still failing then is told to the caller.
PAUSES: Final = (0.5, 2.0)
_SECONDS: Final = 20.0
_LARGEST: Final = 8 << 20
_LONGEST_WORDS: Final = 200
# Asking again cannot help where the address itself is refused.
_FOR_GOOD: Final = frozenset({"blocked", "tls"})
_T = TypeVar("_T")
# The platforms' own ids of posts and comments are numbers.
PlatformId = Annotated[str, Meta(pattern=r"^[0-9]{1,30}\Z")]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer below 500: its status, headers (lower case) and body."""

    source: Source
    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, kind: type[_T]) -> _T:
        """Decode the body.

        Raises:
            ProviderFailedError: it has not the documented shape.
        """
        return self.read_part(self.body, kind)

    def read_part(self, part: bytes | msgspec.Raw, kind: type[_T]) -> _T:
        """Decode a part of the body that was left as it came; errors as :meth:`read`."""
        try:
            return msgspec.json.decode(part, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ProviderFailedError(
                self.source,
                f"the platform's API answered {self.status} with something that it does not"
                " document; tell the operator if this goes on",
                retryable=True,
            ) from None


@dataclass(frozen=True, slots=True)
class ProviderApi:
    """One API of a platform; ``pauses`` are the seconds between attempts."""

    outbound: OutboundPort
    budget: Budget
    base_url: str
    pauses: Sequence[float] = PAUSES

    @property
    def source(self) -> Source:
        """Whose API it is."""
        return self.budget.source

    async def get(self, path: str, query: Mapping[str, str], *, token: str | None = None) -> Reply:
        """Ask for a path.

        Raises:
            ProviderFailedError: no answer below 500 came, or none may be asked for now.
        """
        url, headers = self._url(path, query), _headers(token)
        return await self._call(
            lambda: self.outbound.get(url, headers, total_timeout=_SECONDS, keep_body=_LARGEST)
        )

    async def post_json(
        self, path: str, query: Mapping[str, str], body: Mapping[str, Any], *, token: str
    ) -> Reply:
        """Post a JSON body; errors as :meth:`get`. Only for calls that change nothing."""
        url, content = self._url(path, query), msgspec.json.encode(body)
        headers = {**_headers(token), "Content-Type": "application/json"}
        return await self._call(lambda: self._post(url, content, headers))

    async def post_form(self, path: str, fields: Mapping[str, str]) -> Reply:
        """Post a form once, for it may hold a code that works once; errors as :meth:`get`."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", **_headers(None)}
        url, content = self._url(path, {}), urlencode(fields).encode()
        return await self._call(lambda: self._post(url, content, headers), again=())

    async def _post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        return await self.outbound.post(
            url, content, headers, total_timeout=_SECONDS, keep_body=_LARGEST
        )

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        base = f"{self.base_url.rstrip('/')}{path}"
        return f"{base}?{urlencode(query, safe=',')}" if query else base

    async def _call(
        self, send: Callable[[], Awaitable[Answer]], *, again: Sequence[float] | None = None
    ) -> Reply:
        pauses = iter(self.pauses if again is None else again)
        while True:
            await self.budget.take()
            try:
                answer = await send()
            except OutboundFailure as failure:
                problem = f"the platform's API gave no answer: {failure.message}"
                final = failure.error_class in _FOR_GOOD
            else:
                if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return self._reply(answer)
                problem, final = f"the platform's API answered {answer.status}", False
            pause = next(pauses, None)
            if pause is None or final:
                raise ProviderFailedError(self.source, problem, retryable=not final)
            await asyncio.sleep(pause)

    def _reply(self, answer: Answer) -> Reply:
        if len(answer.body) >= _LARGEST or HTTPStatus(300) <= answer.status < HTTPStatus(400):
            raise ProviderFailedError(
                self.source,
                f"the platform's API answered {answer.status} in a way that it does not document",
                retryable=True,
            )
        return Reply(self.source, answer.status, answer.headers, answer.body)


def plain(text: str) -> str:
    """Give what a platform says as it can be stored and shown in a line."""
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST_WORDS])


def _headers(token: str | None) -> dict[str, str]:
    accept = {"Accept": "application/json"}
    return {**accept, "Authorization": f"Bearer {token}"} if token else accept
