"""A transaction's facts, journal, counters and events: together, in order, or not at all."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.cast import World
from tokportal_server.lib.actor import SYSTEM, Actor
from tokportal_server.lib.db import Connection, prepare_connection
from tokportal_server.lib.unit_of_work import DRY_RUN_PREFIX, UnitOfWork, unit_of_work

NOW = datetime(2030, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
RENAME = "UPDATE workspaces SET name = 'Renamed' WHERE id = $1"
TRACES = """
SELECT (SELECT count(*) FROM journal) AS journal, (SELECT count(*) FROM counters) AS counters,
       (SELECT count(*) FROM events) AS events,
       (SELECT sum(last)::bigint FROM event_sequences) AS taken,
       (SELECT count(*) FROM workspaces WHERE name = 'Renamed') AS facts
"""
NOTHING = {"journal": 0, "counters": 0, "events": 0, "taken": 0, "facts": 0}


async def _traces(conn: Connection) -> dict[str, int]:
    row = await conn.fetchrow(TRACES)
    assert row is not None
    return dict(row)


async def _everything(tx: UnitOfWork) -> None:
    """Leave one trace of each kind."""
    thing = uuid4()
    tx.record("thing", thing, root_id=thing, source=None, target="new", actor=SYSTEM)
    tx.emit("thing.made", {"id": str(thing)})
    await tx.conn.execute(RENAME, tx.workspace_id)


async def test_what_is_committed_is_committed_together(conn: Connection, world: World) -> None:
    async with unit_of_work(conn, world.acme, now=NOW) as tx:
        await _everything(tx)
    assert await _traces(conn) == {
        "journal": 1,
        "counters": 1,
        "events": 1,
        "taken": 1,
        "facts": 1,
    }


@pytest.mark.hazard(5)
async def test_an_error_leaves_neither_fact_nor_journal_nor_counter_nor_event(
    conn: Connection, world: World
) -> None:
    async def fail() -> None:
        async with unit_of_work(conn, world.acme, now=NOW) as tx:
            await _everything(tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await _traces(conn) == NOTHING


@pytest.mark.hazard(5)
async def test_an_error_while_the_events_are_written_takes_everything_back(
    conn: Connection, world: World
) -> None:
    async def fail() -> None:
        async with unit_of_work(conn, world.acme, now=NOW) as tx:
            await _everything(tx)
            tx.emit("thing.named", {"name": "\0"})

    with pytest.raises(asyncpg.UntranslatableCharacterError):
        await fail()
    assert await _traces(conn) == NOTHING


async def test_a_cancelled_transaction_leaves_nothing(dsn: str, world: World) -> None:
    conn = await asyncpg.connect(dsn)
    await prepare_connection(conn)
    reached = asyncio.Event()

    async def work() -> None:
        async with unit_of_work(conn, world.acme, now=NOW) as tx:
            await _everything(tx)
            reached.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not conn.is_in_transaction()
    assert await _traces(conn) == NOTHING
    await conn.close()


async def test_a_dry_run_goes_the_same_way_and_writes_nothing(
    conn: Connection, world: World
) -> None:
    async with unit_of_work(conn, world.acme, now=NOW, dry_run=True) as tx:
        await _everything(tx)
        assert await conn.fetchval("SELECT name FROM workspaces WHERE id = $1", world.acme) == (
            "Renamed"
        )
        assert str(tx.new_id()).startswith(DRY_RUN_PREFIX)
    assert await _traces(conn) == NOTHING
    assert not conn.is_in_transaction()


async def test_an_error_of_a_dry_run_reaches_the_caller(conn: Connection, world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work(conn, world.acme, now=NOW, dry_run=True):
            raise ZeroDivisionError


async def test_ids_of_a_live_run_do_not_look_like_a_dry_ones(
    conn: Connection, world: World
) -> None:
    async with unit_of_work(conn, world.acme, now=NOW) as tx:
        ids = {tx.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert not [made for made in ids if str(made).startswith(DRY_RUN_PREFIX)]


async def test_what_there_is_to_tell_is_written_last_and_by_one_statement(
    conn: Connection, world: World
) -> None:
    # The driver asks for the types of a new statement once.
    async with unit_of_work(conn, world.acme, now=NOW) as tx:
        await _everything(tx)
    sent: list[str] = []
    with conn.query_logger(lambda query: sent.append(query.query.strip())):
        async with unit_of_work(conn, world.acme, now=NOW) as tx:
            tx.emit("first", {})
            await _everything(tx)
        # What the driver has logged is handed on in the loop's next turn.
        await asyncio.sleep(0)
    assert [query.split("(")[0] for query in sent] == [
        "BEGIN;",
        RENAME,
        "SELECT write_changes",
        "COMMIT;",
    ]


async def test_the_sequence_of_events_is_the_last_lock_that_is_taken(conn: Connection) -> None:
    source = await conn.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'write_changes'")
    assert re.findall(r"INSERT INTO (\w+)", source) == [
        "journal",
        "counters",
        "event_sequences",
        "events",
    ]


async def test_events_keep_their_order_their_time_and_their_data(
    conn: Connection, world: World
) -> None:
    for batch in (["a", "b", "c"], ["d", "e"]):
        async with unit_of_work(conn, world.acme, now=NOW) as tx:
            for name in batch:
                tx.emit(f"thing.{name}", {"name": name, "parts": [1, None, {"x": "ü"}]})
    rows = await conn.fetch("SELECT * FROM events ORDER BY sequence")
    assert [(row["sequence"], row["type"]) for row in rows] == [
        (number, f"thing.{name}") for number, name in enumerate("abcde", start=1)
    ]
    assert {row["created_at"] for row in rows} == {NOW}
    assert rows[0]["data"] == {"name": "a", "parts": [1, None, {"x": "ü"}]}
    assert len({row["id"] for row in rows}) == 5


async def test_the_journal_says_who_changed_what_when_and_why(
    conn: Connection, world: World
) -> None:
    thing, root = uuid4(), uuid4()
    actor = Actor("operator", world.olga)
    async with unit_of_work(conn, world.acme, now=NOW) as tx:
        tx.record("thing", thing, root_id=root, source=None, target="a", actor=SYSTEM)
        tx.record(
            "thing", thing, root_id=root, source="a", target="b", actor=actor, reason="It had to."
        )
    first, second = await conn.fetch("SELECT * FROM journal ORDER BY ordinal")
    assert (first["from_status"], first["to_status"], first["actor_kind"]) == (None, "a", "system")
    assert dict(second) | {"workspace_id": world.acme} == dict(second)
    assert (second["object_id"], second["root_id"]) == (thing, root)
    assert (second["from_status"], second["to_status"]) == ("a", "b")
    assert (second["actor_kind"], second["actor_id"]) == ("operator", world.olga)
    assert (second["reason"], second["at"]) == ("It had to.", NOW)


async def test_counters_move_by_what_changed_in_all(conn: Connection, world: World) -> None:
    things = [uuid4() for _ in range(3)]

    async def change(source: str | None, target: str, *ids: UUID) -> None:
        async with unit_of_work(conn, world.acme, now=NOW) as tx:
            for thing in ids:
                tx.record("t", thing, root_id=thing, source=source, target=target, actor=SYSTEM)

    await change(None, "a", *things)
    await change("a", "b", *things[:2])
    await change("b", "a", things[0])
    rows = await conn.fetch("SELECT status, n FROM counters WHERE workspace_id = $1", world.acme)
    assert {row["status"]: row["n"] for row in rows} == {"a": 2, "b": 1}


async def test_twenty_writers_number_their_events_without_a_gap(dsn: str, world: World) -> None:
    async with AsyncExitStack() as stack:

        async def write(number: int) -> None:
            conn = await asyncpg.connect(dsn)
            stack.push_async_callback(conn.close)
            await prepare_connection(conn)
            for turn in range(10):
                try:
                    async with unit_of_work(conn, world.acme, now=NOW) as tx:
                        for _ in range(1 + turn % 3):
                            tx.emit("thing.made", {"writer": number, "turn": turn})
                        thing = uuid4()
                        target = "ab"[(number + turn) % 2]
                        tx.record(
                            "t", thing, root_id=thing, source=None, target=target, actor=SYSTEM
                        )
                        if turn == 5:
                            # What was counted for it has to be given back.
                            tx.emit("thing.spoilt", {"name": "\0"})
                except asyncpg.UntranslatableCharacterError:
                    continue

        await asyncio.gather(*(write(number) for number in range(20)))
        conn = await asyncpg.connect(dsn)
        stack.push_async_callback(conn.close)
        await prepare_connection(conn)
        rows = await conn.fetch("SELECT sequence, data FROM events ORDER BY sequence")
        written = sum(1 + turn % 3 for turn in range(10) if turn != 5) * 20
        assert [row["sequence"] for row in rows] == list(range(1, written + 1))
        # The events of one transaction stand together.
        groups = [(row["data"]["writer"], row["data"]["turn"]) for row in rows]
        changes = sum(a != b for a, b in pairwise(groups))
        assert changes == len(set(groups)) - 1
        assert await conn.fetchval("SELECT sum(n) FROM counters") == 180


async def test_workspaces_number_their_own_events(conn: Connection, world: World) -> None:
    for workspace in (world.acme, world.other, world.acme):
        async with unit_of_work(conn, workspace, now=NOW) as tx:
            tx.emit("thing.made", {})
    rows = await conn.fetch("SELECT workspace_id, max(sequence) AS last FROM events GROUP BY 1")
    assert {row["workspace_id"]: row["last"] for row in rows} == {world.acme: 2, world.other: 1}


async def test_a_savepoint_that_fails_forgets_what_was_collected_in_it(
    conn: Connection, world: World
) -> None:
    async def try_in_vain(tx: UnitOfWork) -> None:
        async with tx.savepoint():
            await _everything(tx)
            raise ZeroDivisionError

    async with unit_of_work(conn, world.acme, now=NOW) as tx:
        with pytest.raises(ZeroDivisionError):
            await try_in_vain(tx)

    assert await _traces(conn) == NOTHING


async def test_a_savepoint_that_succeeds_keeps_what_was_collected_in_it(
    conn: Connection, world: World
) -> None:
    async with unit_of_work(conn, world.acme, now=NOW) as tx, tx.savepoint():
        await _everything(tx)

    assert set((await _traces(conn)).values()) == {1}
