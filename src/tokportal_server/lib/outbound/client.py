"""The guarded HTTP client."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Final, Self, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.hdrs import METH_GET, METH_POST
from yarl import URL

from tokportal_server.lib.outbound.connector import (
    OpenSocket,
    guarded_connector,
    open_plain_socket,
)
from tokportal_server.lib.outbound.download import Download
from tokportal_server.lib.outbound.exchange import CURRENT, Exchange
from tokportal_server.lib.outbound.failure import OutboundFailure
from tokportal_server.lib.outbound.plain import PlainPoster, PlainResponse
from tokportal_server.lib.outbound.port import Answer
from tokportal_server.lib.outbound.url import (
    BlockedUrl,
    OutboundPolicy,
    parse_location,
    parse_url,
)

_CONNECT_TIMEOUT: Final = 5.0
_READ_BUFFER: Final = 16 * 1024
_AGENT: Final = {"User-Agent": "tokportal-server"}
_UNCOMPRESSED: Final = {"Accept-Encoding": "identity"}
_NOT_OPEN: Final = "Outbound is used outside of its `async with` block"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_CLOSED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_T = TypeVar("_T")


class Outbound:
    """Calls public addresses, and nothing else, over one session that it owns.

    ``async with Outbound(policy) as outbound``. Proxies of the environment, cookies, compression
    and automatic redirects are off. ``resolver`` is asked for names (default: the system's),
    ``tls`` says whom to trust (default: the system's authorities), ``open_socket`` makes the
    sockets once their address has been judged.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        open_socket: OpenSocket = open_plain_socket,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._tls = tls
        self._open_socket = open_socket
        self._session: aiohttp.ClientSession | None = None
        self._poster: PlainPoster | None = None

    async def __aenter__(self) -> Self:
        resolver = self._resolver or aiohttp.ThreadedResolver()
        self._session = aiohttp.ClientSession(
            connector=guarded_connector(
                self._policy, resolver, tls=self._tls, open_socket=self._open_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_AGENT,
            trust_env=False,
            auto_decompress=False,
            read_bufsize=_READ_BUFFER,
        )
        self._poster = PlainPoster(self._session, read_buffer=_READ_BUFFER)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = self._poster = None

    async def post(
        self,
        url: str,
        body: bytes | AsyncIterable[bytes],
        headers: Mapping[str, str],
        *,
        connect_timeout: float = _CONNECT_TIMEOUT,
        total_timeout: float = 15.0,
        keep_body: int = 2048,
    ) -> Answer:
        """Send ``body`` once and give the answer, a redirect or an error status included.

        Timeouts are seconds; connecting includes the name look-up and the TLS handshake. At most
        ``keep_body`` bytes of the answer are read, then the connection is closed. Raises
        ``OutboundFailure`` (dns, refused, timeout, tls, blocked).
        """
        exchange = Exchange(total_timeout)
        target = self._judged(url, exchange)
        response = await (
            self._post_bytes(target, exchange, body, headers, connect_timeout)
            if isinstance(body, bytes)
            else self._request(
                METH_POST,
                target,
                exchange,
                body=body,
                headers=headers,
                connect_timeout=connect_timeout,
            )
        )
        return await _answer_of(response, exchange, keep_body)

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        total_timeout: float = 15.0,
        keep_body: int = 2048,
    ) -> Answer:
        """Ask for ``url`` and give the answer, whatever its status; limits and errors as ``post``.

        Redirects are answers too: they are not followed.
        """
        exchange = Exchange(total_timeout)
        target = self._judged(url, exchange)
        response = await self._request(METH_GET, target, exchange, headers=headers)
        return await _answer_of(response, exchange, keep_body)

    @asynccontextmanager
    async def download(
        self, url: str, *, max_bytes: int, total_timeout: float, max_redirects: int = 3
    ) -> AsyncIterator[Download]:
        """Open ``url`` for reading, following at most ``max_redirects`` redirects.

        Each hop is judged like a first URL, and none may lead from https to http. Raises
        ``OutboundFailure`` (dns, refused, timeout, tls, blocked, status, redirects, too_large).
        """
        exchange = Exchange(total_timeout)
        response = await self._follow(self._judged(url, exchange), exchange, max_redirects)
        try:
            yield Download(response, exchange=exchange, max_bytes=max_bytes)
        finally:
            response.close()

    async def _follow(
        self, url: URL, exchange: Exchange, max_redirects: int
    ) -> aiohttp.ClientResponse:
        for _ in range(max_redirects + 1):
            response = await self._request(METH_GET, url, exchange)
            if response.status == _OK:
                return response
            response.close()
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                raise exchange.failure(
                    "status", f"the host answered {response.status}", status=response.status
                )
            url = self._judged_hop(url, location, exchange)
        raise exchange.failure("redirects", f"more than {max_redirects} redirects")

    async def _post_bytes(
        self,
        url: URL,
        exchange: Exchange,
        body: bytes,
        headers: Mapping[str, str],
        connect_timeout: float,
    ) -> PlainResponse:
        if self._poster is None:
            raise RuntimeError(_NOT_OPEN)
        send = partial(
            self._poster.post,
            url,
            body,
            {**_AGENT, **headers, **_UNCOMPRESSED},
            patience=_timeout(connect_timeout),
        )
        return await _called(send, exchange)

    async def _request(
        self,
        method: str,
        url: URL,
        exchange: Exchange,
        *,
        body: AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = _CONNECT_TIMEOUT,
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError(_NOT_OPEN)
        send = partial(
            self._session.request,
            method,
            url,
            headers={**(headers or {}), **_UNCOMPRESSED},
            data=body,
            timeout=_timeout(connect_timeout),
            allow_redirects=False,
        )
        return await _called(send, exchange, once=body is not None)

    def _judged(self, url: str, exchange: Exchange) -> URL:
        try:
            return parse_url(url, self._policy)
        except BlockedUrl as blocked:
            raise exchange.failure("blocked", f"the URL {blocked.reason}") from blocked

    def _judged_hop(self, origin: URL, location: str, exchange: Exchange) -> URL:
        try:
            return parse_location(origin, location, self._policy)
        except BlockedUrl as blocked:
            raise exchange.failure("blocked", f"the redirect {blocked.reason}") from blocked


async def _called(
    send: Callable[[], Awaitable[_T]], exchange: Exchange, *, once: bool = False
) -> _T:
    """Call until a connection carries the call; ``once`` is for what cannot be sent again."""
    CURRENT.set(exchange)
    while True:
        exchange.opened = False
        try:
            return await exchange.within(send())
        except OutboundFailure as failure:
            # A host may close a connection that it kept just as it is used again. That says
            # nothing about the host: the next kept one is tried, and then a new one.
            if once or exchange.opened or not _closed_unanswered(failure):
                raise


def _closed_unanswered(failure: OutboundFailure) -> bool:
    """Tell whether a connection ended under the request; one that was never made did not."""
    cause = failure.__cause__
    return isinstance(cause, _CLOSED) and not isinstance(cause, aiohttp.ClientConnectorError)


@lru_cache(maxsize=16)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    # The whole is timed by the exchange: aiohttp's own total would round itself up to seconds.
    return aiohttp.ClientTimeout(total=None, connect=connect)


async def _answer_of(
    response: PlainResponse | aiohttp.ClientResponse, exchange: Exchange, keep_body: int
) -> Answer:
    try:
        kept = await _first_bytes(response, exchange, keep_body)
        return Answer(
            status=response.status,
            body=kept,
            headers={name.lower(): value for name, value in response.headers.items()},
            duration_ms=exchange.duration_ms,
        )
    finally:
        response.close()


async def _first_bytes(
    response: PlainResponse | aiohttp.ClientResponse, exchange: Exchange, limit: int
) -> bytes:
    if response.content.is_eof():
        # A short answer came whole with its head: there is nothing to wait for.
        return response.content.read_nowait(limit)
    kept = bytearray()
    while len(kept) < limit:
        chunk = await exchange.within(
            response.content.read(limit - len(kept)), status=response.status, body=kept
        )
        if not chunk:
            break
        kept += chunk
    return bytes(kept)
