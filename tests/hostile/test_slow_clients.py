"""Clients that only mean to stay: they hold a connection, and nothing else, and not for ever."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.cast import World
from tests.client import Client
from tests.hostile.wire import Api, answers_in, connected, is_served
from tests.lib.waiting import SAFETY_NET
from tokportal_server.http import body as wire_body
from tokportal_server.http.errors import BodyTimeoutError

MANY = 1000
# What a connection may cost while it says nothing, with all that is kept for it.
BYTES_EACH = 64 * 1024
UNFINISHED = {
    "nothing": b"",
    "half a request line": b"GET /heal",
    "a head without its end": b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
}
KEPT = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process, and those that it starts, open some thousands of sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_thousand_idle_connections_keep_nobody_waiting(many_files: None, api: Api) -> None:
    del many_files
    before = api.worker.memory_info().rss
    async with AsyncExitStack() as idle:
        for number in range(MANY):
            _, writer = await idle.enter_async_context(connected(api))
            writer.write(list(UNFINISHED.values())[number % len(UNFINISHED)])
        for _ in range(20):
            assert await is_served(api)
        assert api.worker.memory_info().rss - before < MANY * BYTES_EACH
    assert await is_served(api)


async def test_more_idle_connections_than_there_are_places_keep_nobody_out(
    many_files: None, api: Api
) -> None:
    """Whoever does not say what they want loses their place to those who do."""
    del many_files
    async with AsyncExitStack() as idle, asyncio.timeout(SAFETY_NET):
        for _ in range(3 * MANY):
            await idle.enter_async_context(connected(api))
        assert await is_served(api)


@pytest.mark.proof
async def test_a_connection_that_says_nothing_more_is_closed(api: Api) -> None:
    """A head without an end, and a connection that was kept; with what was answered before."""
    kinds = {**{kind: (sent, []) for kind, sent in UNFINISHED.items()}, "a kept one": (KEPT, [200])}

    async def told_by(sent: bytes) -> list[int]:
        async with connected(api) as (reader, writer), asyncio.timeout(2 * SAFETY_NET):
            writer.write(sent)
            await writer.drain()
            return [one.status for one in answers_in(await reader.read())]

    told = await asyncio.gather(*(told_by(sent) for sent, _ in kinds.values()))
    assert told == [answers for _, answers in kinds.values()]


async def test_bodies_that_come_byte_by_byte_hold_no_connection_to_the_database(
    api: Api, world: World, alice_outside: Client
) -> None:
    """There are fewer of those than of slow clients."""
    head = (
        f"POST /api/ext/bundles HTTP/1.1\r\nHost: x\r\nX-API-Key: {world.alice_key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    ).encode()
    async with AsyncExitStack() as slow:
        for _ in range(100):
            _, writer = await slow.enter_async_context(connected(api))
            writer.write(head)
            await writer.drain()
        for _ in range(20):
            assert (await alice_outside.get("/me")).status == 200


async def test_answers_that_nobody_reads_hold_up_nobody_else(
    api: Api, alice_outside: Client
) -> None:
    ask = b"GET /api/ext/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20
    async with AsyncExitStack() as deaf:
        for _ in range(50):
            _, writer = await deaf.enter_async_context(connected(api))
            writer.write(ask)
        for _ in range(20):
            assert (await alice_outside.get("/me")).status == 200


async def test_a_body_that_trickles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_body, "IDLE_SECONDS", 0.1)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            # Never so slow that nothing comes.
            await asyncio.sleep(0.01)
            yield b"x"

    async def read() -> None:
        async with asyncio.timeout(SAFETY_NET):
            async for _ in wire_body.arriving(trickle()):
                pass

    with pytest.raises(BodyTimeoutError, match="bytes of the body have come"):
        await read()


async def test_our_own_work_between_two_chunks_is_not_the_senders_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire_body, "IDLE_SECONDS", 0.05)

    async def prompt() -> AsyncIterator[bytes]:
        for letter in (b"a", b"b", b"c"):
            yield letter

    taken = b""
    async for chunk in wire_body.arriving(prompt()):
        await asyncio.sleep(0.06)
        taken += chunk
    assert taken == b"abc"
