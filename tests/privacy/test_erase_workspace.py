"""Erasing a workspace: of all that it held nothing is left, and nobody else loses anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from tests.cast import World
from tests.client import Client
from tests.console.scenery import set_the_scene
from tests.lib.waiting import until_found
from tests.orders.walk import ordered, published
from tests.privacy.filling import fill_the_rest, finish
from tests.privacy.planting import MARKER, empty_tables, fingerprints, found, plant
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.storage import make_key
from tokportal_server.workbench.doctor import examine
from tokportal_server.workbench.operations.erase_workspace import (
    WorkspaceBusyError,
    begin_erasing,
)
from tokportal_server.workspaces import erasing
from tokportal_server.workspaces.errors import WorkspaceNotFoundError
from tokportal_server.workspaces.holdings import HOLDINGS

LOGGED = "SELECT EXISTS (SELECT FROM api_requests WHERE workspace_id = $1)"
AT_ONCE = timedelta(0)


async def begin(conn: Connection, world: World, name: str = "Acme") -> None:
    await begin_erasing(
        conn=conn,
        actor=world.as_olga,
        workspace_id=world.acme,
        name=name,
        reason="They asked for it.",
    )


async def stored(ports: Ports, prefix: str, workspace_id: UUID) -> str:
    """Put an object of a workspace into the store; give its key."""

    async def byte() -> AsyncIterator[bytes]:
        yield b"x"

    key = make_key(f"{prefix}{workspace_id.hex}")
    await ports.storage.put_stream(key, byte())
    return key


async def contradictions(conn: Connection) -> list[str]:
    return [one.check.name for one in await examine(conn) if one.contradictions]


async def test_of_a_full_workspace_nothing_is_left_and_another_is_as_it_was(
    alice: Client, charlie: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await set_the_scene(alice, conn, world, ports)
    await ordered(charlie, title="Charlie's own")
    # The log of requests is written a moment later, in their order.
    await until_found(conn, LOGGED, world.other)
    await finish(conn, world.acme)
    await fill_the_rest(conn, world)
    assert await empty_tables(conn, world.acme) == set()
    planted = await plant(conn, world.acme)
    assert len({table for table, _ in planted}) > 40
    name = await conn.fetchval("SELECT name FROM workspaces WHERE id = $1", world.acme)
    await conn.execute("UPDATE workspaces SET name = $2 WHERE id = $1", world.acme, name + MARKER)
    others = await fingerprints(conn, world.other)
    balance = await conn.fetchval(
        "SELECT sum(amount) FROM credit_entries WHERE workspace_id = $1", world.acme
    )
    assert balance > 0
    mine = [await stored(ports, prefix, world.acme) for prefix in ("", "quarantine/", "exports/")]
    others_file = await stored(ports, "", world.other)

    await begin(conn, world, f"Acme{MARKER}")
    await erasing.erase(ports.database, ports.storage, world.acme, settling=AT_ONCE)
    await erasing.erase(ports.database, ports.storage, world.acme)

    done = await erasing.erasure_of(conn, world.acme)
    assert done is not None
    assert done.state == "done"
    assert done.rows > 100
    assert await found(conn) == {}
    assert [await ports.storage.head(key) for key in mine] == [None] * 3
    assert await ports.storage.head(others_file) == 1
    assert await fingerprints(conn, world.other) == others
    assert await empty_tables(conn, world.acme) == {one.table for one in HOLDINGS if not one.kept}
    assert await contradictions(conn) == []
    left = await conn.fetchval(
        "SELECT sum(amount) FROM credit_entries WHERE workspace_id = $1", world.acme
    )
    assert left == 0


async def test_unfinished_work_is_named_and_nothing_is_stopped(
    alice: Client, conn: Connection, world: World
) -> None:
    bundle_id = await published(alice, videos=1)
    with pytest.raises(WorkspaceBusyError) as refused:
        await begin(conn, world)
    assert refused.value.details["unfinished"] == {"order": 1}
    assert refused.value.details["examples"] == {"order": [bundle_id]}
    assert (await alice.get("/me")).status == 200


async def test_it_begins_once_and_only_for_whoever_knows_the_name(
    alice: Client, conn: Connection, world: World
) -> None:
    with pytest.raises(Exception, match="Acme"):
        await begin(conn, world, "Other")
    await begin(conn, world)
    with pytest.raises(WorkspaceNotFoundError):
        await begin(conn, world)
    assert (await alice.get("/me")).code == "AUTH_REVOKED_KEY"
    audited = await conn.fetchrow("SELECT * FROM audit WHERE action = 'workspace.erase'")
    assert audited is not None
    assert (audited["subject_id"], audited["reason"]) == (world.acme, "They asked for it.")


async def test_it_goes_on_where_it_was_cut_short(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    await ordered(alice)
    await finish(conn, world.acme)
    await begin(conn, world)
    running = asyncio.create_task(erasing.erase(ports.database, ports.storage, world.acme))
    while not await conn.fetchval("SELECT rows > 0 FROM erasures"):  # noqa: ASYNC110
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    # Two workers go on at once.
    await asyncio.gather(erasing.Erasures(ports).run_once(), erasing.Erasures(ports).run_once())
    done = await erasing.erasure_of(conn, world.acme)
    assert done is not None
    assert done.state == "settling"
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 0
    assert await contradictions(conn) == []


async def test_what_came_late_goes_at_the_second_look(
    conn: Connection, world: World, ports: Ports
) -> None:
    await begin(conn, world)
    await erasing.erase(ports.database, ports.storage, world.acme, settling=AT_ONCE)
    await conn.execute(
        "INSERT INTO events (workspace_id, sequence, id, type, data, created_at)"
        " VALUES ($1, 1, 'evt_late', 'bundle.created', '{}', now())",
        world.acme,
    )
    assert await erasing.Erasures(ports).run_once() == 1
    assert await conn.fetchval("SELECT count(*) FROM events") == 0
    done = await erasing.erasure_of(conn, world.acme)
    assert done is not None
    assert done.state == "done"
    assert await erasing.Erasures(ports).run_once() == 0


async def test_facts_of_others_are_as_unchangeable_as_ever(conn: Connection, world: World) -> None:
    await begin(conn, world)
    await conn.execute("DELETE FROM credit_entry_lots WHERE workspace_id = $1", world.acme)
    with pytest.raises(Exception, match="append-only"):
        await conn.execute("DELETE FROM credit_entry_lots WHERE workspace_id = $1", world.other)


async def test_every_table_of_a_workspace_has_its_place_in_the_list(conn: Connection) -> None:
    rows = await conn.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE a.attname = 'workspace_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace = 'public'::regnamespace"
    )
    names = [one.table for one in HOLDINGS]
    assert sorted(names) == sorted(row["relname"] for row in rows)
    secret = await conn.fetch(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace = 'public'::regnamespace"
        " AND (a.attname ~ 'sealed|hash$|token' OR a.atttypid = 'bytea'::regtype)"
    )
    shown = {(one.table, column) for one in HOLDINGS if not one.withheld for column in one.texts}
    for row in secret:
        holding = next((one for one in HOLDINGS if one.table == row["relname"]), None)
        if holding is None or holding.withheld:
            continue
        place = (row["relname"], row["attname"])
        assert row["attname"] in holding.omitted or place in shown, place
