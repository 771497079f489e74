"""Pages that update by themselves: who is told, when, and that a stream has an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from tests.cast import World
from tests.client import Client
from tests.orders.walk import published
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection, Database
from tokportal_server.pages.errors import TooManyStreamsError
from tokportal_server.pages.live import EVERYWHERE, MOST_STREAMS, Live, events_so_far

MOVE = "UPDATE event_sequences SET last = last + 1 WHERE workspace_id = $1"


@pytest.fixture
def live(database: Database) -> Live:
    """What one process has, looking often."""
    return Live(database, asyncio.Event(), look_seconds=0.01)


async def next_message(stream: AsyncIterator[bytes]) -> bytes:
    """Give what comes next."""
    async with asyncio.timeout(15):
        return await anext(stream)


async def listening(live: Live, topic: UUID, since: int | None) -> AsyncIterator[bytes]:
    """Open a stream, past its first words."""
    stream = live.listen(uuid4(), topic, since)
    assert (await next_message(stream)).startswith(b"retry:")
    return stream


async def test_tells_of_what_moved_in_the_workspace_and_not_of_others(
    live: Live, conn: Connection, world: World
) -> None:
    known = await events_so_far(conn, world.acme)
    acme = await listening(live, world.acme, known)
    other = await listening(live, world.other, await events_so_far(conn, world.other))
    waiting = asyncio.ensure_future(anext(other))
    await conn.execute(MOVE, world.acme)
    assert await next_message(acme) == b"event: moved\ndata:\n\n"
    # One look has told both, or neither.
    assert not waiting.done()
    await conn.execute(MOVE, world.other)
    async with asyncio.timeout(15):
        assert await waiting == b"event: moved\ndata:\n\n"


async def test_whoever_works_everywhere_hears_of_every_workspace(
    live: Live, conn: Connection, world: World
) -> None:
    stream = await listening(live, EVERYWHERE, await events_so_far(conn, EVERYWHERE))
    for workspace in (world.acme, world.other):
        await conn.execute(MOVE, workspace)
        assert b"moved" in await next_message(stream)


async def test_what_happened_between_the_page_and_its_stream_is_told(
    live: Live, conn: Connection, world: World
) -> None:
    known = await events_so_far(conn, world.acme)
    await conn.execute(MOVE, world.acme)
    assert b"moved" in await next_message(await listening(live, world.acme, known))


async def test_a_stream_ends_so_that_the_session_is_looked_at_again(
    database: Database, world: World
) -> None:
    live = Live(database, asyncio.Event(), look_seconds=0.01, stream_seconds=0.05)
    stream = await listening(live, world.acme, None)
    async with asyncio.timeout(15):
        rest = [message async for message in stream]
    assert all(message.startswith(b":") for message in rest)


async def test_streams_end_when_the_process_shall(database: Database, world: World) -> None:
    stopping = asyncio.Event()
    live = Live(database, stopping)
    before = await listening(live, world.acme, None)
    stopping.set()
    async with asyncio.timeout(15):
        assert [message async for message in before] == []
        assert len([message async for message in live.listen(uuid4(), world.acme, None)]) == 1


async def test_a_person_has_a_limited_number_and_gets_one_back_when_one_ends(
    live: Live, world: World
) -> None:
    person = uuid4()
    streams = [live.listen(person, world.acme, None) for _ in range(MOST_STREAMS)]
    for stream in streams:
        await next_message(stream)
    with pytest.raises(TooManyStreamsError):
        live.listen(person, world.acme, None)
    live.listen(uuid4(), world.acme, None)
    await streams.pop().aclose()  # type: ignore[attr-defined]
    live.listen(person, world.acme, None)


async def test_a_page_says_where_it_listens_and_hears_of_a_new_order(
    guest: Guest, alice: Client, world: World
) -> None:
    await guest.sign_in("alice")
    seen = await guest.get(f"/console/{world.acme}/live")
    assert seen.headers["content-type"].startswith("text/event-stream")
    assert seen.headers["cache-control"] == "no-store"
    page = await guest.get(f"/console/{world.acme}")
    address = page.html.split('data-live="')[1].split('"')[0]
    await published(alice)
    async with asyncio.timeout(15):
        told = await guest.hear(address, until="moved")
    assert told.startswith("retry:")


async def test_a_refused_form_and_an_error_do_not_listen(guest: Guest, world: World) -> None:
    await guest.sign_in("alice")
    assert "data-live" not in (await guest.get(f"/console/{world.acme}/bundles/{uuid4()}")).html
    assert "data-live" not in (await guest.get("/you")).html


async def test_asking_for_the_head_of_a_stream_opens_none(guest: Guest, world: World) -> None:
    await guest.sign_in("alice")
    for _ in range(MOST_STREAMS + 1):
        seen = await guest.head(f"/console/{world.acme}/live")
        assert seen.status == 200
