"""Bodies and queries of every operation, and forms with a file."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.parsers.target import Target
from tests.http.examples import EXAMPLES
from tokportal_server.entry.operations import all_operations
from tokportal_server.http.errors import BodyTooLargeError
from tokportal_server.http.multipart import boundary_of, receive
from tokportal_server.http.validation import decode_body, decode_query, refuse_malformed_json
from tokportal_server.lib.errors import ApiError
from tokportal_server.pages.forms import read_form

# An error helps whoever reads it.
LONGEST_REFUSAL = 100_000
FORM = (
    b'x--x\r\nContent-Disposition: form-data; name="bundle_id"\r\n\r\n7d4b\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n'
    b"Content-Type: video/mp4\r\n\r\nbytes\r\n--x--\r\n"
)


@cache
def bodies() -> list[Any]:
    """Give what operations take."""
    return [op.body for op in all_operations() if op.body is not None]


@cache
def queries() -> list[Any]:
    """Give what operations take after the question mark."""
    return [op.query for op in all_operations() if op.query is not None]


def short(error: ApiError) -> None:
    """Fail if a refusal is a book, or cannot be sent."""
    assert len(json.dumps(error.body("req_1")).encode()) < LONGEST_REFUSAL


def read_a_body(data: bytes) -> None:
    """A body is one of the operation's, or refused; the first byte says whose."""
    kind = bodies()[data[0] % len(bodies())] if data else bodies()[0]
    try:
        refuse_malformed_json(data[1:])
        decode_body(kind, data[1:])
    except ApiError as error:
        short(error)


def read_a_query(data: bytes) -> None:
    """So is a query."""
    kind = queries()[data[0] % len(queries())] if data else queries()[0]
    try:
        decode_query(kind, data[1:])
    except ApiError as error:
        short(error)


def receive_a_form(data: bytes) -> None:
    """A form with a file is received, or refused; the first byte is its boundary."""
    kind = f"multipart/form-data; boundary={chr(data[0])}" if data else "multipart/form-data"
    asyncio.run(_receive(kind, data[1:]))


async def _receive(kind: str, body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            async with receive(
                _pieces(body),
                boundary_of(kind),
                directory=Path(folder),
                max_bytes=1000,
                too_large=lambda limit: BodyTooLargeError(f"more than {limit}"),
            ) as upload:
                assert upload.size <= 1000
        except ApiError as error:
            short(error)
        assert list(Path(folder).iterdir()) == []


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 7):
        yield body[at : at + 7]


class _Sent:
    """A request of which there is only the body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> AsyncIterator[bytes]:
        """Give the body in pieces."""
        return _pieces(self._body)


def receive_fields(data: bytes) -> None:
    """A form of a page is read, or refused."""
    kind = {b"content-type": b"application/x-www-form-urlencoded"}
    try:
        form = asyncio.run(read_form(_Sent(data), kind))  # type: ignore[arg-type]
    except ApiError as error:
        short(error)
        return
    for text in form.values():
        assert "\0" not in text
        text.encode()


@cache
def _body_seeds() -> tuple[bytes, ...]:
    kinds = [op for op in all_operations() if op.body is not None]
    return tuple(
        bytes([number]) + json.dumps(EXAMPLES[op.operation_id].body or {}).encode()
        for number, op in enumerate(kinds)
    )


TARGETS = (
    Target("body_json", read_a_body, _body_seeds()),
    Target(
        "body_query",
        read_a_query,
        (b"\x00page=1&per_page=100", b"\x05after=41&limit=2", b"\x07account=%ff&from=%c0%af"),
    ),
    Target("body_form", receive_a_form, (FORM,)),
    Target("body_fields", receive_fields, (b"form_token=0&email=a%40b&name=%C3%A9+x",)),
)
