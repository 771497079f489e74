"""The port that operations are given: the guarded client, or one that must not be called."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol

from tokportal_server.lib.outbound.download import Download


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a receiver answered: ``body`` holds its first bytes as sent, never decompressed.

    ``headers`` have lower-case names, the last of equal names wins; ``duration_ms`` is whole
    milliseconds of real time from the call to the last byte kept.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    duration_ms: int

    @property
    def error_class(self) -> Literal["status"] | None:
        """Give ``status`` for everything but 2xx: redirects are failures (contract section 12)."""
        return None if 200 <= self.status < 300 else "status"


class OutboundPort(Protocol):
    """Outgoing HTTP as an operation sees it; see ``Outbound`` for limits and errors."""

    async def post(
        self,
        url: str,
        body: bytes | AsyncIterable[bytes],
        headers: Mapping[str, str],
        *,
        connect_timeout: float = 5.0,
        total_timeout: float = 15.0,
        keep_body: int = 2048,
    ) -> Answer:
        """Send ``body``, whole or piece by piece, and give the answer.

        Raises ``OutboundFailure``. Pieces need a ``Content-Length`` among the headers.
        """

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        total_timeout: float = 15.0,
        keep_body: int = 2048,
    ) -> Answer:
        """Ask for ``url`` and give the answer, redirects too, or raise ``OutboundFailure``."""

    def download(
        self, url: str, *, max_bytes: int, total_timeout: float, max_redirects: int = 3
    ) -> AbstractAsyncContextManager[Download]:
        """Open ``url`` for reading in chunks, or raise ``OutboundFailure``."""


class UnexpectedCall(AssertionError):  # noqa: N818 - it is a broken promise, not an error to handle
    """A dry run tried to call out: a mistake in the program (contract section 4)."""


class NullOutbound:
    """The port of a dry run: a call is a mistake and raises ``UnexpectedCall``."""

    async def post(
        self,
        url: str,
        body: bytes | AsyncIterable[bytes],  # noqa: ARG002 - the shape of the port
        headers: Mapping[str, str],  # noqa: ARG002
        *,
        connect_timeout: float = 5.0,  # noqa: ARG002
        total_timeout: float = 15.0,  # noqa: ARG002
        keep_body: int = 2048,  # noqa: ARG002
    ) -> Answer:
        """Raise ``UnexpectedCall``."""
        _refuse("POST", url)

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],  # noqa: ARG002
        *,
        total_timeout: float = 15.0,  # noqa: ARG002
        keep_body: int = 2048,  # noqa: ARG002
    ) -> Answer:
        """Raise ``UnexpectedCall``."""
        _refuse("GET", url)

    def download(
        self,
        url: str,
        *,
        max_bytes: int,  # noqa: ARG002
        total_timeout: float,  # noqa: ARG002
        max_redirects: int = 3,  # noqa: ARG002
    ) -> AbstractAsyncContextManager[Download]:
        """Raise ``UnexpectedCall``."""
        _refuse("GET", url)


def _refuse(method: str, url: str) -> NoReturn:
    raise UnexpectedCall(f"a dry run tried to {method} {url}")
