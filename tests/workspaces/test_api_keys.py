"""The life of a key: each change counts from the next request on, and no other key is touched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec import UNSET

from tests.cast import World
from tests.client import Client
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.api_keys import (
    KeyChanges,
    create_api_key,
    edit_api_key,
    list_api_keys,
    revoke_api_key,
)


async def _edit(conn: Connection, world: World, **changes: Any) -> None:
    edited = await edit_api_key(
        conn=conn,
        workspace_id=world.acme,
        key_id=world.alice_key_id,
        changes=KeyChanges(**changes),
    )
    assert edited is not None
    assert edited in await list_api_keys(conn=conn, workspace_id=world.acme)


async def test_an_expired_key_is_refused_and_lives_again_when_its_expiry_is_put_off(
    alice: Client, conn: Connection, world: World
) -> None:
    await _edit(conn, world, expires_at=real_now() - timedelta(seconds=1))
    assert (await alice.get("/me")).code == "AUTH_EXPIRED_KEY"
    await _edit(conn, world, expires_at=real_now() + timedelta(hours=1))
    assert (await alice.get("/me")).status == 200
    await _edit(conn, world, expires_at=None)
    assert (await alice.get("/me")).data["api_key"]["expires_at"] is None


async def test_a_bucket_of_its_own_holds_from_the_next_request_on(
    alice: Client, conn: Connection, world: World
) -> None:
    usual = (await alice.get("/me")).headers["X-RateLimit-Limit"]
    await _edit(conn, world, bucket_capacity=2, bucket_refill=0.001)
    statuses = [(await alice.get("/me")).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    await _edit(conn, world, bucket_capacity=None, bucket_refill=None)
    assert (await alice.get("/me")).headers["X-RateLimit-Limit"] == usual != "2"


@pytest.mark.parametrize(
    "changes",
    [{}, {"name": "Other"}, {"scope": "write"}, {"environment": "staging"}, {"bucket_refill": 9.0}],
)
async def test_an_edit_changes_what_is_given_and_nothing_else(
    conn: Connection, world: World, changes: dict[str, Any]
) -> None:
    query = "SELECT to_jsonb(k) FROM api_keys k ORDER BY id"
    before = {row[0]["id"]: row[0] for row in await conn.fetch(query)}
    await _edit(conn, world, **changes)
    before[str(world.alice_key_id)] |= changes
    assert {row[0]["id"]: row[0] for row in await conn.fetch(query)} == before


async def test_a_revoked_key_is_listed_and_can_neither_be_edited_nor_come_back(
    alice: Client, conn: Connection, world: World
) -> None:
    assert await revoke_api_key(conn=conn, workspace_id=world.acme, key_id=world.alice_key_id)
    for changes in (KeyChanges(name="Back"), KeyChanges(expires_at=None)):
        edited = await edit_api_key(
            conn=conn, workspace_id=world.acme, key_id=world.alice_key_id, changes=changes
        )
        assert edited is None
    assert (await alice.get("/me")).code == "AUTH_REVOKED_KEY"
    keys = await list_api_keys(conn=conn, workspace_id=world.acme)
    revoked = {key.name for key in keys if key.revoked_at is not None}
    assert (revoked, len(keys)) == ({"Alice's key"}, 2)


async def test_a_workspace_lists_its_own_keys_newest_first(conn: Connection, world: World) -> None:
    await create_api_key(
        conn=conn, workspace_id=world.acme, person_id=world.alice, name="Newest", scope="write"
    )
    keys = await list_api_keys(conn=conn, workspace_id=world.acme)
    assert [key.name for key in keys] == ["Newest", "Bob's key", "Alice's key"]
    assert [key.owner for key in keys] == [
        "alice@example.com",
        "bob@example.com",
        "alice@example.com",
    ]
    assert keys == sorted(keys, key=lambda key: key.created_at, reverse=True)


def test_changes_that_say_nothing_change_nothing() -> None:
    assert {getattr(KeyChanges(), name) for name in KeyChanges.__struct_fields__} == {UNSET}
