"""The guarded connector: every answer of the resolver and every socket is judged."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from tokportal_server.lib.outbound.address import is_refused
from tokportal_server.lib.outbound.exchange import CURRENT
from tokportal_server.lib.outbound.failure import BlockedAddress
from tokportal_server.lib.outbound.url import OutboundPolicy, is_local_host

_KEEP_SECONDS: Final = 10.0

OpenSocket = Callable[[AddrInfoType], socket.socket]


def open_plain_socket(addr_info: AddrInfoType) -> socket.socket:
    """Make the socket for one resolved address; connecting it is up to the caller."""
    family, kind, protocol, _, _ = addr_info
    return socket.socket(family, kind, protocol)


def guarded_connector(
    policy: OutboundPolicy,
    resolver: AbstractResolver,
    *,
    tls: ssl.SSLContext | None,
    open_socket: OpenSocket,
) -> aiohttp.TCPConnector:
    """Give a connector that can reach nothing which ``policy`` refuses.

    No address is cached, so each new connection is judged afresh. One that is kept for the next
    call to the same host and port leads where it led when its socket was judged. There is no limit
    of connections: waiting for one would count against the wrong receiver's time, and the callers
    already bound how much they send at once.
    """

    def open_judged_socket(addr_info: AddrInfoType) -> socket.socket:
        if is_refused(addr_info[4][0], allow_loopback=policy.allow_loopback):
            raise BlockedAddress
        CURRENT.get().opened = True
        return open_socket(addr_info)

    return aiohttp.TCPConnector(
        resolver=GuardedResolver(resolver, policy),
        socket_factory=open_judged_socket,
        ssl=True if tls is None else tls,
        use_dns_cache=False,
        keepalive_timeout=_KEEP_SECONDS,
        limit=0,
    )


class GuardedResolver(AbstractResolver):
    """Asks another resolver, and refuses the host if any one of its addresses is refused.

    One bad answer among good ones is how a name server steers a client that tries them in turn.
    Only the name ``localhost`` may resolve to loopback, and only where the policy allows it.
    """

    def __init__(self, inner: AbstractResolver, policy: OutboundPolicy) -> None:
        self._inner = inner
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give all addresses of ``host``, or raise ``BlockedAddress`` or another ``OSError``."""
        answers = await self._inner.resolve(host, port, family)
        if not answers:
            raise OSError(errno.ENOENT, "the host name has no address")
        allow_loopback = self._policy.allow_loopback and is_local_host(host)
        if any(is_refused(answer["host"], allow_loopback=allow_loopback) for answer in answers):
            raise BlockedAddress
        return answers

    async def close(self) -> None:
        """Close the resolver that is asked."""
        await self._inner.close()
