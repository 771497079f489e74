"""Every allowed and every forbidden change of status, from the tables, through the one door."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.accounts.revealing import edit_asked
from tests.cast import World
from tests.comments.steps import add_account, begun
from tests.orders.walk import order, working
from tokportal_server.bundles.operations.create_bundle import create_bundle
from tokportal_server.bundles.wire import CreateBundleRequest
from tokportal_server.comments.states import COMMENT
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.machine import IllegalTransitionError, Machine
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.orders.door import LostUpdateError, move
from tokportal_server.orders.locks import Row
from tokportal_server.orders.states import BUNDLE, PROFILE, SLOT
from tokportal_server.workbench.machines import MACHINES

by_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.kind)
TOLD = {"hint": "what the caller tells"}


async def row_of(conn: Connection, machine: Machine) -> Row:
    """Give the one row of the machine's table that the tests use."""
    row = await conn.fetchrow(f"SELECT * FROM {machine.table} ORDER BY id LIMIT 1")
    assert row is not None
    return row


async def put_in(conn: Connection, machine: Machine, status: str) -> Row:
    """Put the row in a status, behind the door's back; give it."""
    await conn.execute(f"UPDATE {machine.table} SET status = $1", status)
    return await row_of(conn, machine)


async def written(conn: Connection) -> dict[str, Any]:
    """Give everything that the door writes beside the row."""
    counters = await conn.fetch("SELECT kind, status, n FROM counters")
    return {
        "journal": [dict(r) for r in await conn.fetch("SELECT * FROM journal ORDER BY ordinal")],
        "events": [dict(r) for r in await conn.fetch("SELECT * FROM events ORDER BY sequence")],
        "counters": {(r["kind"], r["status"]): r["n"] for r in counters},
    }


@pytest.fixture
async def bundle_id(conn: Connection, world: World) -> UUID:
    """An order of Alice's with a profile and one slot."""
    async with working(conn, world) as tx:
        made, _ = await create_bundle(
            tx=tx,
            actor=world.as_mona,
            order=msgspec.convert(order(1), CreateBundleRequest),
            per_minute=100,
        )
    return made


@pytest.fixture
async def one_of_each(conn: Connection, world: World, bundle_id: UUID) -> None:
    """Beside the order a comment task and an edit request, which belong to no bundle."""
    account = await add_account(conn, world, bundle_id)
    await begun(conn, world, account)
    await edit_asked(conn, world, UUID(account))


@by_machine
@pytest.mark.usefixtures("one_of_each")
async def test_an_allowed_change_writes_row_journal_counters_and_event_as_the_table_says(
    conn: Connection, world: World, machine: Machine
) -> None:
    for transition in machine.transitions:
        if transition.source is None:
            continue
        row = await put_in(conn, machine, transition.source)
        before = await written(conn)
        async with working(conn, world) as tx:
            changed = await move(
                tx,
                machine,
                row,
                transition.target,
                actor=world.as_mona,
                data=TOLD,
                reason="because",
            )
            at = tx.now
        assert changed["status"] == transition.target
        assert await row_of(conn, machine) == changed
        after = await written(conn)

        [entry] = after["journal"][len(before["journal"]) :]
        del entry["id"], entry["ordinal"], entry["recorded_at"]
        assert entry == {
            "workspace_id": world.acme,
            "kind": machine.kind,
            "object_id": row["id"],
            "root_id": row.get("bundle_id") or row["id"],
            "from_status": transition.source,
            "to_status": transition.target,
            "actor_kind": "manager",
            "actor_id": world.mona,
            "reason": "because",
            "at": at,
        }
        source, target = (machine.kind, transition.source), (machine.kind, transition.target)
        before["counters"][source] = before["counters"].get(source, 0) - 1
        before["counters"][target] = before["counters"].get(target, 0) + 1
        assert after["counters"] == before["counters"]

        told = [(e["type"], e["data"]) for e in after["events"][len(before["events"]) :]]
        status = {"status": transition.target, "previous_status": transition.source}
        assert told == ([(transition.event, TOLD | status)] if transition.event else [])


@by_machine
@pytest.mark.usefixtures("one_of_each")
async def test_a_forbidden_change_is_refused_and_nothing_is_written(
    conn: Connection, world: World, machine: Machine
) -> None:
    forbidden = [p for p in product(machine.states, repeat=2) if not machine.allows(*p)]
    assert len(forbidden) + len(machine.transitions) - 1 == len(machine.states) ** 2
    for source, target in forbidden:
        row = await put_in(conn, machine, source)
        before = await written(conn)
        with pytest.raises(IllegalTransitionError):
            async with working(conn, world) as tx:
                await move(tx, machine, row, target, actor=world.as_mona, data={})
        assert await row_of(conn, machine) == row, (source, target)
        assert await written(conn) == before, (source, target)


@by_machine
@pytest.mark.usefixtures("one_of_each")
async def test_a_row_that_changed_since_it_was_read_is_not_overwritten(
    conn: Connection, world: World, machine: Machine
) -> None:
    first = next(t for t in machine.transitions if t.source is not None)
    assert first.source is not None
    seen = await put_in(conn, machine, first.source)
    meanwhile = machine.transitions[-1].target
    await put_in(conn, machine, meanwhile)
    before = await written(conn)
    with pytest.raises(LostUpdateError):
        async with working(conn, world) as tx:
            await move(tx, machine, seen, first.target, actor=world.as_mona, data={})
    assert (await row_of(conn, machine))["status"] == meanwhile
    assert await written(conn) == before


@by_machine
@pytest.mark.usefixtures("one_of_each")
async def test_a_row_of_another_workspace_cannot_be_changed(
    conn: Connection, world: World, machine: Machine
) -> None:
    first = next(t for t in machine.transitions if t.source is not None)
    assert first.source is not None
    row = await put_in(conn, machine, first.source)
    with pytest.raises(LostUpdateError):
        async with unit_of_work(conn, world.other, now=real_now()) as tx:
            await move(tx, machine, row, first.target, actor=world.as_mona, data={})
    assert await row_of(conn, machine) == row


async def test_an_order_begins_with_one_journal_row_and_count_for_each_of_its_things(
    conn: Connection, world: World, bundle_id: UUID
) -> None:
    now = await written(conn)
    begun = [(e["kind"], e["from_status"], e["to_status"], e["root_id"]) for e in now["journal"]]
    assert sorted(begun) == [
        ("bundle", None, "pending_setup", bundle_id),
        ("profile", None, "pending", bundle_id),
        ("slot", None, "pending", bundle_id),
    ]
    assert now["counters"] == {
        ("bundle", "pending_setup"): 1,
        ("profile", "pending"): 1,
        ("slot", "pending"): 1,
    }
    assert [e["type"] for e in now["events"]] == ["bundle.created"]
    assert world.acme == now["events"][0]["workspace_id"]


async def test_the_database_knows_no_status_that_the_tables_do_not(conn: Connection) -> None:
    for machine in MACHINES:
        check = await conn.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1",
            f"{machine.table}_status_check",
        )
        assert {part for part in check.split("'") if part.isidentifier()} - {"text"} == set(
            machine.states
        )


@pytest.mark.parametrize(
    ("machine", "way"),
    [
        (BUNDLE, ["pending_setup", "published", "published_priority", "accepted", "completed"]),
        (BUNDLE, ["accepted", "published", "pending_setup", "cancelled", "archived"]),
        (BUNDLE, ["completed", "archived"]),
        (PROFILE, ["pending", "configured", "published", "in_review", "finalized"]),
        (PROFILE, ["in_review", "pending_corrections", "in_review"]),
        (PROFILE, ["published", "configured"]),
        (SLOT, ["pending", "configured", "published", "accepted", "in_review", "finalized"]),
        (SLOT, ["accepted", "published", "configured", "pending"]),
        (SLOT, ["in_review", "pending_corrections", "in_review"]),
        (COMMENT, ["pending", "submitted", "verified_auto", "finalized"]),
        (COMMENT, ["submitted", "manually_confirmed", "pending_corrections", "submitted"]),
        (COMMENT, ["submitted", "pending_corrections", "verified_auto"]),
        (COMMENT, ["manually_confirmed", "finalized"]),
        (COMMENT, ["pending_corrections", "cancelled"]),
    ],
)
def test_the_ways_of_the_contract_can_be_gone(machine: Machine, way: list[str]) -> None:
    assert all(machine.allows(*step) for step in pairwise(way))


@pytest.mark.parametrize(
    ("machine", "source", "target"),
    [
        (BUNDLE, "completed", "cancelled"),
        (BUNDLE, "accepted", "pending_setup"),
        (BUNDLE, "published", "completed"),
        (BUNDLE, "archived", "published"),
        (PROFILE, "published", "finalized"),
        (PROFILE, "finalized", "cancelled"),
        (PROFILE, "in_review", "published"),
        (SLOT, "accepted", "configured"),
        (SLOT, "published", "in_review"),
        (SLOT, "pending_corrections", "published"),
        (SLOT, "finalized", "cancelled"),
        (COMMENT, "submitted", "finalized"),
        (COMMENT, "submitted", "cancelled"),
        (COMMENT, "manually_confirmed", "cancelled"),
        (COMMENT, "verified_auto", "pending_corrections"),
        (COMMENT, "cancelled", "pending"),
    ],
)
def test_the_ways_that_the_contract_closes_are_closed(
    machine: Machine, source: str, target: str
) -> None:
    assert not machine.allows(source, target)
