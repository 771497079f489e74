from __future__ import annotations

import asyncio

import pytest
from jsonschema import Draft202012Validator

from tests.client import Client
from tests.orders.walk import ordered
from tests.webhooks.receiver import Receiver
from tests.webhooks.rig import Rig
from tokportal_server.webhooks.catalogue import CATALOGUE


async def read(client: Client, after: str | None = None, limit: int = 50) -> tuple[list[int], str]:
    """Read a page; give the sequences and the next cursor."""
    query = f"?limit={limit}" + (f"&after={after}" if after is not None else "")
    reply = await client.get(f"/events{query}")
    assert reply.status == 200, reply.body
    return [event["data"]["sequence"] for event in reply.data], reply.json["next_cursor"]


async def test_gives_the_envelopes_that_receivers_get(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    await rig.endpoint(receiver.url)
    bundle = await ordered(alice)
    await rig.emit(0)
    await rig.deliver()
    reply = await alice.get("/events")
    [event] = reply.data
    assert event == receiver.received[0].event
    assert event["data"]["bundle_id"] == bundle
    [entry] = [entry for entry in CATALOGUE if entry.type == event["type"]]
    assert entry.schema is not None
    assert Draft202012Validator(entry.schema).is_valid(event["data"])


async def test_is_read_page_by_page_in_order_and_without_gaps(alice: Client, rig: Rig) -> None:
    await rig.commit(7)
    first, cursor = await read(alice, limit=3)
    second, cursor = await read(alice, cursor, limit=3)
    third, cursor = await read(alice, cursor, limit=3)
    assert (first, second, third) == ([1, 2, 3], [4, 5, 6], [7])
    # The end is no end: the same cursor gives what comes later.
    assert await read(alice, cursor) == ([], cursor)
    await rig.commit(2)
    assert (await read(alice, cursor))[0] == [8, 9]


async def test_an_empty_workspace_has_a_cursor_to_wait_with(alice: Client, rig: Rig) -> None:
    empty, cursor = await read(alice)
    assert empty == []
    await rig.commit()
    assert (await read(alice, cursor))[0] == [1]


async def test_a_reader_misses_nothing_while_many_write(alice: Client, rig: Rig) -> None:
    async def write() -> None:
        for _ in range(15):
            await rig.commit(2)

    writers = [asyncio.create_task(write()) for _ in range(4)]
    seen: list[int] = []
    cursor: str | None = None
    while not all(writer.done() for writer in writers) or len(seen) < 120:
        page, cursor = await read(alice, cursor, limit=7)
        seen += page
        if all(writer.done() for writer in writers) and not page:
            break
    await asyncio.gather(*writers)
    assert seen == list(range(1, 121))


async def test_shows_thirty_days_and_says_when_a_cursor_is_older(alice: Client, rig: Rig) -> None:
    await rig.commit(6)
    await rig.execute(
        "UPDATE events SET recorded_at = now() - interval '30 days 1 minute' WHERE sequence <= 4"
    )
    assert (await read(alice))[0] == [5, 6]
    assert (await read(alice, "4"))[0] == [5, 6]
    reply = await alice.get("/events?after=2")
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert "too old" in reply.problems["after"]


async def test_tells_nobody_of_others(charlie: Client, rig: Rig) -> None:
    await rig.commit(3)
    assert await read(charlie) == ([], "0")


async def test_may_be_read_with_a_read_only_key(bob: Client, rig: Rig) -> None:
    await rig.commit()
    assert (await read(bob))[0] == [1]


async def test_needs_a_key(nobody: Client) -> None:
    assert (await nobody.get("/events")).code == "AUTH_MISSING_KEY"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=x", "after"),
        ("after=", "after"),
        ("after=-1", "after"),
        ("after=1234567890123456789", "after"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_refuses_what_is_no_cursor_and_no_limit(
    alice: Client, query: str, field: str
) -> None:
    reply = await alice.get(f"/events?{query}")
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert list(reply.problems) == [field]
