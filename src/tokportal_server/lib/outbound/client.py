"""The guarded HTTP client."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Self

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
from tokportal_server.lib.outbound.exchange import Exchange
from tokportal_server.lib.outbound.port import Answer
from tokportal_server.lib.outbound.url import (
    BlockedUrl,
    OutboundPolicy,
    parse_location,
    parse_url,
)

_CONNECT_TIMEOUT: Final = 5.0
_READ_BUFFER: Final = 16 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200


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

    async def __aenter__(self) -> Self:
        resolver = self._resolver or aiohttp.ThreadedResolver()
        self._session = aiohttp.ClientSession(
            connector=guarded_connector(
                self._policy, resolver, tls=self._tls, open_socket=self._open_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "tokportal-server"},
            trust_env=False,
            auto_decompress=False,
            read_bufsize=_READ_BUFFER,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(
        self,
        url: str,
        body: bytes,
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
        response = await self._request(
            METH_POST,
            self._judged(url, exchange),
            exchange,
            body=body,
            headers=headers,
            connect_timeout=connect_timeout,
        )
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

    async def _request(
        self,
        method: str,
        url: URL,
        exchange: Exchange,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = _CONNECT_TIMEOUT,
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("Outbound is used outside of its `async with` block")
        # The whole is timed by `exchange`: aiohttp's own total would round itself up to seconds.
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)
        return await exchange.within(
            self._session.request(
                method,
                url,
                data=body,
                headers={**(headers or {}), "Accept-Encoding": "identity"},
                timeout=timeout,
                allow_redirects=False,
            )
        )

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


async def _first_bytes(response: aiohttp.ClientResponse, exchange: Exchange, limit: int) -> bytes:
    kept = bytearray()
    while len(kept) < limit:
        chunk = await exchange.within(
            response.content.read(limit - len(kept)), status=response.status, body=kept
        )
        if not chunk:
            break
        kept += chunk
    return bytes(kept)
