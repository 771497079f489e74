"""The body of a JSON request: its type, its length, its pace, and that it is JSON at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

from tokportal_server.http.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    UnsupportedContentTypeError,
)
from tokportal_server.http.validation import refuse_malformed_json

IDLE_SECONDS = 30.0
# A modem of 1996 sends five times as much; whoever sends less only means to stay.
SLOWEST_BYTES_PER_SECOND = 500


async def arriving(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass a body's chunks on while they come.

    Raises:
        BodyTimeoutError: nothing came for ``IDLE_SECONDS``; or, after as long, the whole body comes
            more slowly than ``SLOWEST_BYTES_PER_SECOND``. What we do between chunks is not counted.
    """
    chunks = aiter(stream)
    waited, received = 0.0, 0
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BodyTimeoutError(
                f"No byte of the body has come for {IDLE_SECONDS:g} s. Nothing was changed: send"
                " the request again."
            ) from None
        received += len(chunk)
        waited += time.monotonic() - began
        if waited > IDLE_SECONDS + received / SLOWEST_BYTES_PER_SECOND:
            raise BodyTimeoutError(
                f"In {waited:.0f} s only {received} bytes of the body have come; at least"
                f" {SLOWEST_BYTES_PER_SECOND} a second are needed. Nothing was changed: send the"
                " request again over a better connection."
            )
        yield chunk


async def read_json(
    stream: AsyncIterator[bytes], headers: Mapping[bytes, bytes], *, max_bytes: int
) -> bytes:
    """Read a JSON body whole; what it says is checked later (contract section 1, order of checks).

    Raises:
        UnsupportedContentTypeError: there is a body, and it is not declared as JSON.
        BodyTooLargeError: it is longer than ``max_bytes``.
        BodyTimeoutError: it stopped coming.
        MalformedJsonError: it is not JSON.
    """
    if int(headers.get(b"content-length", b"0") or b"0") > max_bytes:
        _require_json(headers)
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in arriving(stream):
        if chunk and not size:
            _require_json(headers)
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
    raw = b"".join(chunks)
    if raw:
        refuse_malformed_json(raw)
    return raw


def _require_json(headers: Mapping[bytes, bytes]) -> None:
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedContentTypeError(
            f"Content-Type is {content_type[:80]!r}; send the body as application/json.",
            details={"accepted": ["application/json"]},
        )


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The body is longer than {max_bytes} bytes. Send media through the upload operations, and"
        " long lists in several calls.",
        details={"max_bytes": max_bytes},
    )
