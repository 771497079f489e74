"""Connections that are kept for the next call: only to where their socket was judged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.lib.outbound_rig import OK_ANSWER, PUBLIC, FakeNames, Sockets
from tokportal_server.lib.outbound import Outbound, OutboundFailure, OutboundPolicy

URL = "http://hooks.example.com/"
POLICY = OutboundPolicy(allow_http_hosts=frozenset({"hooks.example.com"}))

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


@asynccontextmanager
async def host(talk: Talk) -> AsyncIterator[int]:
    """Serve ``talk`` with the number of the connection; give the port."""
    count = 0
    talks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(reader, writer, count)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in talks:
            task.cancel()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request with an empty body and answer it."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK_ANSWER)
    await writer.drain()


async def forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
    while True:
        await answer(reader, writer)


async def test_a_kept_connection_carries_the_next_call() -> None:
    async with host(forever) as port:
        sockets = Sockets({80: port})
        names = FakeNames({"hooks.example.com": [[PUBLIC]]})
        async with Outbound(POLICY, resolver=names, open_socket=sockets) as outbound:
            for _ in range(3):
                assert (await outbound.post(URL, b"", {})).status == 200
    assert sockets.dialled == [PUBLIC]


async def test_a_name_that_has_moved_inside_is_refused_when_a_socket_is_to_be_made() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await answer(reader, writer)

    async with host(once) as port:
        sockets = Sockets({80: port})
        names = FakeNames({"hooks.example.com": [[PUBLIC], ["127.0.0.1"]]})
        async with Outbound(POLICY, resolver=names, open_socket=sockets) as outbound:
            assert (await outbound.post(URL, b"", {})).status == 200
            with pytest.raises(OutboundFailure) as caught:
                await outbound.post(URL, b"", {})
    assert caught.value.error_class == "blocked"
    assert sockets.dialled == [PUBLIC]


async def test_a_host_that_ends_a_kept_connection_under_the_call_is_called_anew() -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
        await answer(reader, writer)
        # The first connection is kept open, takes the next request and ends without an answer.
        await reader.readuntil(b"\r\n\r\n")
        if n > 1:
            writer.write(OK_ANSWER)
            await writer.drain()

    async with host(hangs_up) as port:
        sockets = Sockets({80: port})
        names = FakeNames({"hooks.example.com": [[PUBLIC]]})
        async with Outbound(POLICY, resolver=names, open_socket=sockets) as outbound:
            for _ in range(2):
                assert (await outbound.post(URL, b"", {})).status == 200
    assert sockets.dialled == [PUBLIC, PUBLIC]


async def test_a_host_that_ends_every_new_connection_is_called_once() -> None:
    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: int) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with host(never) as port:
        sockets = Sockets({80: port})
        names = FakeNames({"hooks.example.com": [[PUBLIC]]})
        async with Outbound(POLICY, resolver=names, open_socket=sockets) as outbound:
            with pytest.raises(OutboundFailure) as caught:
                await outbound.post(URL, b"", {})
    assert caught.value.error_class == "refused"
    assert sockets.dialled == [PUBLIC]


async def test_an_answer_that_was_not_read_to_its_end_keeps_no_connection() -> None:
    async def long(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000)
        await writer.drain()
        await reader.read()

    async with host(long) as port:
        sockets = Sockets({80: port})
        names = FakeNames({"hooks.example.com": [[PUBLIC]]})
        async with Outbound(POLICY, resolver=names, open_socket=sockets) as outbound:
            for _ in range(2):
                assert len((await outbound.post(URL, b"", {})).body) == 2048
    assert sockets.dialled == [PUBLIC, PUBLIC]


async def test_a_header_that_would_begin_another_is_not_sent() -> None:
    async with host(forever) as port:
        sockets = Sockets({80: port})
        names = FakeNames({"hooks.example.com": [[PUBLIC]]})
        async with Outbound(POLICY, resolver=names, open_socket=sockets) as outbound:
            with pytest.raises(ValueError, match="line end"):
                await outbound.post(URL, b"", {"X-Event": "evt_1\r\nX-Other: 1"})
    assert sockets.dialled == []
