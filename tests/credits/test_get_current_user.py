"""``GET /me``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.cast import CREDITS, World
from tests.client import Client
from tests.credits.moves import debit, grant
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.api_keys import create_api_key


async def test_says_who_calls_for_which_workspace_with_which_key(
    alice: Client, world: World
) -> None:
    me = (await alice.get("/me")).data

    assert me["email"] == "alice@example.com"
    assert me["name"] == "Alice"
    assert me["workspace"] == {
        "id": str(world.acme),
        "name": "Acme",
        "plan": "starter",
        "timezone": "UTC",
        "rehearsal": False,
    }
    assert me["plan"] == me["workspace"]["plan"]
    assert me["clock"]["virtual"] is False
    assert me["credits"] == CREDITS
    assert me["api_key"]["id"] == str(world.alice_key_id)
    assert me["api_key"]["name"] == "Alice's key"


async def test_a_key_stands_for_its_own_person(bob: Client, world: World) -> None:
    me = (await bob.get("/me")).data
    assert (me["email"], me["workspace"]["id"]) == ("bob@example.com", str(world.acme))
    assert me["api_key"]["scope"] == "read"


async def test_a_stranger_sees_their_own_workspace(charlie: Client, world: World) -> None:
    assert (await charlie.get("/me")).data["workspace"]["id"] == str(world.other)


async def test_refuses_a_call_without_a_key(nobody: Client) -> None:
    assert (await nobody.get("/me")).code == "AUTH_MISSING_KEY"


async def test_tells_scope_label_expiry_and_last_use_of_the_key(
    server: str, world: World, conn: Connection
) -> None:
    ends = datetime(2031, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
    key_id, raw = await create_api_key(
        conn=conn,
        workspace_id=world.acme,
        person_id=world.alice,
        name="Until May",
        environment="staging",
        scope="read",
        expires_at=ends,
    )
    async with Client(server, raw) as client:
        key = (await client.get("/me")).data["api_key"]
    assert datetime.fromisoformat(key.pop("last_used_at")) <= real_now()
    assert key == {
        "id": str(key_id),
        "name": "Until May",
        "environment": "staging",
        "scope": "read",
        "expires_at": "2031-05-06T07:08:09.123Z",
    }


@pytest.mark.parametrize("path", ["/me", "/credits/balance", "/credits/history"])
async def test_no_parameter_is_silently_ignored(alice: Client, path: str) -> None:
    reply = await alice.get(path, params={"fields": "email"})
    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
    assert reply.details["parameters"] == ["fields"]


async def test_credits_are_what_the_balance_says(
    alice: Client, world: World, conn: Connection
) -> None:
    now = real_now()
    await grant(conn, world.acme, 30, now=now, expires_at=now + timedelta(days=1))
    await debit(conn, world.acme, 40, now=now)
    me = (await alice.get("/me")).data
    assert me["credits"] == CREDITS - 10
    assert me["credits"] == (await alice.get("/credits/balance")).data["credits"]
