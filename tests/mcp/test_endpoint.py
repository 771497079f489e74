"""Who is let in at ``/api/ext/mcp``, and what everybody else is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import httpx2
import msgspec

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tests.mcp.conftest import tools_of
from tokportal_server.entry.api import Api
from tokportal_server.lib.settings import Settings

ACCEPT = {"Accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


REFUSED_KEYS: list[tuple[dict[str, str], str]] = [
    ({}, "AUTH_MISSING_KEY"),
    ({"Authorization": "Basic c2s6"}, "AUTH_MISSING_KEY"),
    ({"Authorization": "Bearer "}, "AUTH_MISSING_KEY"),
    ({"X-API-Key": "sk_" + "0" * 64}, "AUTH_INVALID_KEY"),
    ({"Authorization": "Bearer nonsense"}, "AUTH_INVALID_KEY"),
]


async def test_a_key_is_taken_from_either_header(server: str, world: World) -> None:
    for name, value in (
        ("X-API-Key", world.alice_key),
        ("Authorization", f"Bearer {world.alice_key}"),
        ("authorization", f"bearer {world.alice_key}"),
    ):
        async with tools_of(server, {name: value}) as tools:
            assert (await tools.data("tokportal_get_current_user"))["name"] == "Alice"


async def test_a_wrong_key_is_refused_before_anything_is_said(nobody: Client) -> None:
    for headers, code in REFUSED_KEYS:
        reply = await nobody.post("/mcp", LIST, headers=ACCEPT | headers)
        assert (reply.status, reply.code) == (401, code)


async def test_a_revoked_key_is_refused_at_the_next_request(
    server: str, world: World, alice: Client, conn: asyncpg.Connection[asyncpg.Record]
) -> None:
    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        await tools.data("tokportal_get_current_user")
        await conn.execute(
            "UPDATE api_keys SET revoked_at = now() WHERE id = $1", world.alice_key_id
        )
        reply = await alice.post("/mcp", LIST, headers=ACCEPT)
        assert (reply.status, reply.code) == (401, "AUTH_REVOKED_KEY")


async def test_speaking_the_protocol_takes_no_token_and_a_tool_takes_one(
    server: str, world: World, alice: Client
) -> None:
    async def left() -> int:
        return int((await alice.get("/me")).headers["X-RateLimit-Remaining"])

    async with tools_of(server, {"X-API-Key": world.alice_key}) as tools:
        await tools.session.list_tools()
        result = await tools.call("tokportal_get_current_user")
    assert result.meta is not None
    assert int(result.meta["rate_limit_remaining"]) == 100_000 - 1
    assert await left() < 100_000


async def test_there_are_no_streams_and_no_sessions_to_end(alice: Client) -> None:
    for method in ("GET", "DELETE", "PUT"):
        reply = await alice.call(method, "/mcp")
        assert (reply.status, reply.code) == (405, "METHOD_NOT_ALLOWED")
        assert "POST" in reply.headers["Allow"]


async def test_a_body_is_bounded(settings: Settings, world: World) -> None:
    strict = msgspec.structs.replace(settings, json_body_max_bytes=1024)
    async with serving(strict) as address, Client(address, world.alice_key) as alice:
        reply = await alice.post("/mcp", LIST | {"id": "x" * 1024}, headers=ACCEPT)
    assert (reply.status, reply.code) == (413, "BODY_TOO_LARGE")


async def test_a_body_has_to_be_json(alice: Client) -> None:
    form = await alice.call("POST", "/mcp", body=b"a=b", headers=ACCEPT)
    assert (form.status, form.code) == (415, "UNSUPPORTED_CONTENT_TYPE")
    broken = await alice.call(
        "POST", "/mcp", body=b"{", headers=ACCEPT | {"Content-Type": "application/json"}
    )
    assert (broken.status, broken.code) == (400, "MALFORMED_JSON")


async def test_one_request_id_goes_through_endpoint_and_api(alice: Client) -> None:
    call: dict[str, Any] = LIST | {
        "method": "tools/call",
        "params": {"name": "tokportal_get_bundle", "arguments": {"id": "nothing"}},
    }
    reply = await alice.post("/mcp", call, headers=ACCEPT | {"X-Request-ID": "my-own-id"})
    assert reply.headers["X-TokPortal-Request-ID"] == "my-own-id"
    result = json.loads(reply.body)["result"]
    assert result["structuredContent"]["error"]["request_id"] == "my-own-id"


async def test_closing_the_api_ends_what_the_first_request_has_started(
    settings: Settings, world: World
) -> None:
    api = Api(settings)
    await api.open()
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=api), base_url="http://127.0.0.1"
    ) as client:
        before = asyncio.all_tasks()
        headers = ACCEPT | {"X-API-Key": world.alice_key}
        answer = await client.post("/api/ext/mcp", json=LIST, headers=headers)
        assert len(answer.json()["result"]["tools"]) == 78
        assert asyncio.all_tasks() > before
        await api.close()
    assert asyncio.all_tasks() <= before


async def test_calls_at_the_same_time_each_have_their_own_key(server: str, world: World) -> None:
    async with (
        tools_of(server, {"X-API-Key": world.alice_key}) as alices,
        tools_of(server, {"X-API-Key": world.charlie_key}) as charlies,
    ):
        calls = [alices, charlies] * 10
        found = await asyncio.gather(*(t.data("tokportal_get_current_user") for t in calls))
    assert [person["name"] for person in found] == ["Alice", "Charlie"] * 10
