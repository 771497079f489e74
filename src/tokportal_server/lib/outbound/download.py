"""Reading a file from an address that somebody else chose, in bounded chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

import aiohttp

from tokportal_server.lib.outbound.exchange import Exchange
from tokportal_server.lib.outbound.failure import OutboundFailure

_CHUNK: Final = 64 * 1024


class Download:
    """An answer with status 200 whose body has not been read yet.

    ``content_type`` is what the sender claims, to be shown and never to be trusted; ``url`` is
    where the last redirect led; ``size_bytes`` is the length announced, if any.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, *, exchange: Exchange, max_bytes: int
    ) -> None:
        self._response = response
        self._exchange = exchange
        self._max_bytes = max_bytes
        self.url = str(response.url)
        self.content_type = media_type(response.headers)
        self.size_bytes = response.content_length
        if self.size_bytes is not None and self.size_bytes > max_bytes:
            raise self._too_large()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body once, in pieces of at most 64 KiB, as sent.

        Raises ``OutboundFailure`` with ``too_large`` before giving a byte beyond the limit, and
        ``timeout`` or ``refused`` when the rest does not arrive.
        """
        received = 0
        while chunk := await self._exchange.within(
            self._response.content.read(_CHUNK), status=self._response.status
        ):
            received += len(chunk)
            if received > self._max_bytes:
                raise self._too_large()
            yield chunk

    def _too_large(self) -> OutboundFailure:
        return self._exchange.failure(
            "too_large",
            f"the file is larger than {self._max_bytes} bytes",
            status=self._response.status,
        )


def media_type(headers: Mapping[str, str]) -> str:
    """Give the media type without parameters, in lower case; empty if none was sent."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
