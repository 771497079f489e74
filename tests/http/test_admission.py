"""The key's token bucket is exact over server processes, and says when to come back."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
import msgspec
import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.conftest import free_port
from tokportal_server.entry.stack import environment
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings
from tokportal_server.workspaces.operations.api_keys import create_api_key

TOKENS = 25


@asynccontextmanager
async def api_process(settings: Settings) -> AsyncIterator[str]:
    """Run the API as a process of its own, as the supervisor starts it; give its address."""
    settings = msgspec.structs.replace(settings, port=free_port())
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tokportal_server.entry.child", "api", "--parent", str(os.getpid())),
        env={**os.environ, **environment(settings)},
    )
    address = f"http://127.0.0.1:{settings.port}"
    try:
        await _ready(process, address)
        yield address
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, address: str) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while process.returncode is None:
            try:
                async with session.get(f"{address}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
    raise RuntimeError("the API process ended before it was ready")


async def limited_key(conn: Connection, world: World, *, capacity: int, refill: float) -> str:
    """Make a key of Alice's with a bucket of its own."""
    _, key = await create_api_key(
        conn=conn,
        workspace_id=world.acme,
        person_id=world.alice,
        name="limited",
        bucket_capacity=capacity,
        bucket_refill=refill,
    )
    return key


def check_refusal(reply: Reply) -> None:
    """Fail unless a 429 says when to come back, twice the same."""
    assert reply.code == "RATE_LIMIT_EXCEEDED"
    assert int(reply.headers["Retry-After"]) == reply.details["retry_after_seconds"] >= 1
    assert reply.headers["X-RateLimit-Remaining"] == "0"


async def test_two_processes_hand_out_exactly_the_tokens_of_one_bucket(
    settings: Settings, world: World, conn: Connection
) -> None:
    key = await limited_key(conn, world, capacity=TOKENS, refill=0.001)
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(api_process(settings)) for _ in range(2)]
        clients = [await stack.enter_async_context(Client(a, key)) for a in addresses]
        replies = await asyncio.gather(*(clients[i % 2].get("/me") for i in range(4 * TOKENS)))
    assert Counter(reply.status for reply in replies) == {200: TOKENS, 429: 3 * TOKENS}
    left = sorted(int(r.headers["X-RateLimit-Remaining"]) for r in replies if r.status == 200)
    assert left == list(range(TOKENS))
    for reply in replies:
        if reply.status == 429:
            check_refusal(reply)


async def test_a_token_comes_back_when_the_refusal_said(
    server: str, world: World, conn: Connection
) -> None:
    key = await limited_key(conn, world, capacity=1, refill=0.5)
    async with Client(server, key) as client:
        assert (await client.get("/me")).status == 200
        refused = await client.get("/me")
        check_refusal(refused)
        assert refused.details["retry_after_seconds"] == 2
        # As if that time had passed.
        await conn.execute("UPDATE buckets SET updated_at = updated_at - interval '2 seconds'")
        assert (await client.get("/me")).status == 200


async def test_keys_of_one_workspace_have_buckets_of_their_own(
    server: str, world: World, conn: Connection, alice: Client
) -> None:
    key = await limited_key(conn, world, capacity=1, refill=0.001)
    async with Client(server, key) as client:
        statuses = [(await client.get("/me")).status for _ in range(2)]
    assert statuses == [200, 429]
    assert (await alice.get("/me")).status == 200


async def test_a_refused_request_takes_no_token(
    server: str, world: World, conn: Connection
) -> None:
    key = await limited_key(conn, world, capacity=1, refill=0.001)
    async with Client(server, key) as client:
        for _ in range(5):
            await client.get("/me")
    assert await conn.fetchval("SELECT tokens >= 0 FROM buckets WHERE kind = 'key'")


@pytest.mark.hazard(27)
async def test_the_write_of_a_limited_key_changes_nothing(
    server: str, world: World, conn: Connection
) -> None:
    key = await limited_key(conn, world, capacity=1, refill=0.001)
    order = {"bundle_type": "account_only", "country": "USA"}
    async with Client(server, key) as client:
        assert (await client.post("/bundles", order)).status == 201
        check_refusal(await client.post("/bundles", order, headers={"Idempotency-Key": "k"}))
    assert await conn.fetchval("SELECT count(*) FROM bundles") == 1
    assert await conn.fetchval("SELECT count(*) FROM idempotency_keys") == 0
