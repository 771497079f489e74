"""Answers that are made while they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tokportal_server.http.answers import Stream
from tokportal_server.http.dispatch import send_stream


class Wire:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.sent.append(message)


async def two() -> AsyncIterator[bytes]:
    yield b"a,b\r\n"
    yield b"1,2\r\n"


async def broken() -> AsyncIterator[bytes]:
    yield b"a,b\r\n"
    raise ConnectionError("the database is away")


async def test_the_head_goes_out_first_and_each_piece_as_it_is_made() -> None:
    wire = Wire()
    await send_stream(wire, Stream(two, "text/csv", {"X-Kind": "file"}), head_only=False)

    head, *pieces = wire.sent
    assert head["status"] == 200
    assert (b"content-type", b"text/csv") in head["headers"]
    assert (b"x-kind", b"file") in head["headers"]
    assert [(p["body"], p["more_body"]) for p in pieces] == [
        (b"a,b\r\n", True),
        (b"1,2\r\n", True),
        (b"", False),
    ]


async def test_an_answer_that_breaks_off_is_not_ended_as_if_it_were_whole() -> None:
    wire = Wire()
    with pytest.raises(ConnectionError):
        await send_stream(wire, Stream(broken, "text/csv"), head_only=False)

    assert [message.get("more_body") for message in wire.sent] == [None, True]


async def test_head_makes_nothing() -> None:
    wire = Wire()
    await send_stream(wire, Stream(broken, "text/csv"), head_only=True)

    assert [message["type"] for message in wire.sent] == [
        "http.response.start",
        "http.response.body",
    ]
