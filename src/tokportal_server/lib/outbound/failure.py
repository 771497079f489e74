"""Why a call failed, in the few classes that a delivery log shows (contract section 12)."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from typing import Final, Literal

import aiohttp

ErrorClass = Literal[
    "dns", "refused", "timeout", "tls", "status", "blocked", "too_large", "redirects"
]

_SENTENCES: Final[dict[ErrorClass, str]] = {
    "dns": "the host name has no address",
    "refused": "the connection was refused, broken off, or did not speak HTTP",
    "timeout": "no complete answer within the time limit",
    "tls": "no trusted TLS connection could be made",
    "blocked": "the host has an address that is not public",
}


class BlockedAddress(OSError):  # noqa: N818 - a verdict, like BlockedUrl
    """Raised where an address is judged; an ``OSError`` so that aiohttp carries it outward.

    The text is the same for every address: when all addresses of a host are refused, the
    connector raises the first of equal errors, but a new one, of no class, for different texts.
    """

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "address refused")


class OutboundFailure(Exception):  # noqa: N818 - "failure" is the contract's word for the outcome
    """A call that gave no complete answer.

    ``status`` and ``body`` hold what had arrived before it failed, where anything had;
    ``duration_ms`` is whole milliseconds of real time.
    """

    def __init__(
        self,
        error_class: ErrorClass,
        message: str,
        *,
        duration_ms: int,
        status: int | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.message = message
        self.duration_ms = duration_ms
        self.status = status
        self.body = body


def classify(error: BaseException) -> tuple[ErrorClass, str]:
    """Give the class of an exception of aiohttp or the system, and a sentence without internals."""
    error_class = _class_of(list(_chain(error)))
    return error_class, _SENTENCES[error_class]


def _class_of(chain: list[BaseException]) -> ErrorClass:
    if any(isinstance(link, BlockedAddress) for link in chain):
        return "blocked"
    if any(isinstance(link, aiohttp.ClientConnectorDNSError) for link in chain):
        return "dns"
    # Covers our own deadline, aiohttp's connect limit, and a connect that the kernel gave up.
    if any(isinstance(link, TimeoutError) for link in chain):
        return "timeout"
    if any(isinstance(link, ssl.SSLError | aiohttp.ClientSSLError) for link in chain):
        return "tls"
    return "refused"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
