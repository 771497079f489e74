"""One Idempotency-Key, one effect: replays, refusals, expiry and sealed answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.cast import CREDITS, World
from tests.client import Client, Reply
from tests.http.examples import perform, writes
from tests.http.seed import Seed
from tests.orders.walk import PROFILE
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.api_keys import create_api_key

PRICE = 25
KEY = {"Idempotency-Key": "one"}


async def order(client: Client, key: str | None = "one", **more: Any) -> Reply:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"bundle_type": "account_only", "country": "USA", **more}
    return await client.post("/bundles", body, headers=headers)


async def bundles(conn: Connection) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM bundles"))


async def charged(conn: Connection, world: World) -> int:
    left = await conn.fetchval(
        "SELECT sum(remaining) FROM credit_lots WHERE workspace_id = $1", world.acme
    )
    return int(CREDITS - left)


def is_replay(reply: Reply) -> bool:
    return reply.headers.get("Idempotent-Replayed") == "true"


@pytest.mark.hazard(24)
@pytest.mark.parametrize("times", [20, 50])
async def test_many_calls_at_once_with_one_key_make_one_bundle(
    alice: Client, conn: Connection, world: World, times: int
) -> None:
    replies = await asyncio.gather(*(order(alice) for _ in range(times)))
    made = [reply for reply in replies if reply.status == 201]
    assert sum(not is_replay(reply) for reply in made) == 1
    assert len({reply.body for reply in made}) == 1
    for reply in replies:
        if reply.status != 201:
            assert (reply.status, reply.code) == (409, "IDEMPOTENCY_IN_PROGRESS")
            assert int(reply.headers["Retry-After"]) == reply.details["retry_after_seconds"] >= 1
    assert await bundles(conn) == 1
    assert await charged(conn, world) == PRICE
    assert is_replay(await order(alice))


async def test_a_first_call_that_still_runs_is_waited_for_and_then_told(
    alice: Client, conn: Connection
) -> None:
    async with conn.transaction():
        await conn.execute("LOCK TABLE wallets")
        first = asyncio.create_task(order(alice))
        async with asyncio.timeout(20):
            # The database's locks are nothing that a test could be told of.
            while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        second = await order(alice)
        assert (second.status, second.code) == (409, "IDEMPOTENCY_IN_PROGRESS")
    assert (await first).status == 201
    third = await order(alice)
    assert is_replay(third)
    assert third.body == (await first).body


@pytest.mark.hazard(27)
async def test_a_replay_shows_the_answer_of_then_though_the_thing_has_changed(
    alice: Client,
) -> None:
    first = await order(alice)
    bundle = first.data["id"]
    await alice.put(f"/bundles/{bundle}/account", PROFILE)
    await alice.post(f"/bundles/{bundle}/publish")
    again = await order(alice)
    assert is_replay(again)
    assert again.body == first.body
    assert again.data["status"] == "pending_setup"


async def test_the_headers_of_a_replay_are_of_today(alice: Client) -> None:
    first, again = [await order(alice) for _ in range(2)]
    name = "X-TokPortal-Request-ID"
    assert first.headers[name] != again.headers[name]
    assert again.headers["Content-Type"] == first.headers["Content-Type"]


@pytest.mark.hazard(26)
async def test_another_request_with_the_key_is_refused(alice: Client, conn: Connection) -> None:
    bundle = (await order(alice)).data["id"]
    refusals = [
        await order(alice, title="another body"),
        await alice.post("/bundles?a=1", {"bundle_type": "account_only"}, headers=KEY),
        await alice.post(f"/bundles/{bundle}/publish", headers=KEY),
        await alice.call("DELETE", f"/webhooks/{bundle}", headers=KEY),
        await alice.post("/webhooks", {}, headers=KEY),
    ]
    assert {(r.status, r.code) for r in refusals} == {(422, "IDEMPOTENCY_KEY_REUSED")}
    assert await bundles(conn) == 1


async def test_a_change_of_the_stale_dates_header_is_another_request(
    alice: Client, seed: Seed
) -> None:
    path = f"/bundles/{seed.ready}/publish"
    assert (await alice.post(path, headers=KEY)).status == 200
    refused = await alice.post(path, headers=KEY | {"X-TokPortal-Stale-Dates": "reject"})
    assert refused.code == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.hazard(26)
async def test_a_key_belongs_to_its_workspace(
    alice: Client, charlie: Client, conn: Connection
) -> None:
    hers, his = await order(alice), await order(charlie)
    assert (hers.status, his.status) == (201, 201)
    assert not is_replay(his)
    assert hers.data["id"] != his.data["id"]
    assert await bundles(conn) == 2


async def test_another_key_of_the_workspace_gets_the_replay(
    server: str, alice: Client, world: World, conn: Connection
) -> None:
    first = await order(alice)
    _, key = await create_api_key(
        conn=conn, workspace_id=world.acme, person_id=world.alice, name="2"
    )
    async with Client(server, key) as second:
        again = await order(second)
    assert is_replay(again)
    assert again.body == first.body


async def test_a_refusal_is_not_stored_so_the_key_may_succeed_later(
    alice: Client, conn: Connection, world: World
) -> None:
    await conn.execute("UPDATE credit_lots SET remaining = 0 WHERE workspace_id = $1", world.acme)
    assert (await order(alice)).code == "INSUFFICIENT_CREDITS"
    assert await conn.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    await conn.execute("UPDATE credit_lots SET remaining = amount")
    reply = await order(alice)
    assert reply.status == 201
    assert not is_replay(reply)


@pytest.mark.hazard(27)
async def test_a_failure_of_ours_is_not_stored_either(alice: Client, conn: Connection) -> None:
    await conn.execute("ALTER TABLE slots RENAME TO elsewhere")
    assert (await order(alice)).status == 500
    await conn.execute("ALTER TABLE elsewhere RENAME TO slots")
    assert (await order(alice)).status == 201
    assert await bundles(conn) == 1


async def test_a_key_that_is_no_printable_ascii_is_refused(alice: Client, conn: Connection) -> None:
    for key in ["", "k" * 256, "caf\u00e9", "tab\there", "\u20ac"]:
        refused = await order(alice, key)
        assert (refused.status, refused.code) == (400, "IDEMPOTENCY_KEY_INVALID")
        assert await bundles(conn) == 0


async def test_every_printable_ascii_key_is_taken(alice: Client) -> None:
    for key in ["k", "k" * 255, "two words", "!~", 'a:b/c?d="e"']:
        assert (await order(alice, key)).status == 201
        assert is_replay(await order(alice, key))


async def test_the_key_is_ignored_by_reads_and_by_dry_runs(alice: Client, conn: Connection) -> None:
    too_long = {"Idempotency-Key": "k" * 256}
    assert (await alice.get("/bundles", headers=too_long)).status == 200
    dry = {"X-TokPortal-Dry-Run": "1"}
    body = {"bundle_type": "account_only", "country": "USA"}
    for headers in (too_long, KEY):
        reply = await alice.post("/bundles", body, headers=headers | dry)
        assert reply.json["dry_run"] is True
    assert (await order(alice)).status == 201
    assert not is_replay(await alice.post("/bundles", body, headers=KEY | dry))
    assert await bundles(conn) == 1


@pytest.mark.parametrize(
    ("operation", "hours"),
    [("createBundle", 7 * 24), ("configureBundleAccount", 24), ("createWebhookEndpoint", 24)],
)
async def test_an_answer_is_kept_for_a_day_and_a_week_where_credits_move(
    alice: Client, conn: Connection, seed: Seed, operation: str, hours: int
) -> None:
    await perform(alice, writes()[operation], seed, headers=KEY)
    kept = await conn.fetchval(
        "SELECT round(extract(epoch FROM expires_at - created_at) / 3600) FROM idempotency_keys"
    )
    assert kept == hours


@pytest.mark.hazard(27)
async def test_a_key_is_free_again_when_its_time_has_passed(
    alice: Client, conn: Connection
) -> None:
    await order(alice)
    await conn.execute("UPDATE idempotency_keys SET expires_at = now()")
    reply = await order(alice, title="another request altogether")
    assert reply.status == 201
    assert not is_replay(reply)
    assert is_replay(await order(alice, title="another request altogether"))
    assert await bundles(conn) == 2


async def test_a_204_replays_as_a_204(alice: Client, seed: Seed) -> None:
    path = f"/webhooks/{seed.endpoint}"
    first, again = [await alice.call("DELETE", path, headers=KEY) for _ in range(2)]
    assert (first.status, again.status) == (204, 204)
    assert is_replay(again)
    assert (await alice.call("DELETE", path)).status == 404


# Answers with secrets.

ENDPOINT = {"url": "https://example.com/hooks", "events": ["bundle.created"]}


async def test_an_answer_with_a_secret_replays_but_is_stored_sealed(
    alice: Client, conn: Connection
) -> None:
    first, again = [await alice.post("/webhooks", ENDPOINT, headers=KEY) for _ in range(2)]
    assert is_replay(again)
    assert again.body == first.body
    secret = first.data["signing_secret"]
    assert secret.startswith("whsec_")
    row = await conn.fetchrow("SELECT sealed, body, k::text AS whole FROM idempotency_keys k")
    assert row is not None
    assert row["sealed"]
    for clear in (b"whsec_", secret.encode(), b"example.com"):
        assert clear not in row["body"]
        assert clear.hex() not in row["whole"]


async def test_an_answer_with_a_secret_replays_to_the_key_that_asked_alone(
    server: str, alice: Client, world: World, conn: Connection
) -> None:
    await alice.post("/webhooks", ENDPOINT, headers=KEY)
    _, key = await create_api_key(
        conn=conn, workspace_id=world.acme, person_id=world.alice, name="another"
    )
    async with Client(server, key) as other:
        refused = await other.post("/webhooks", ENDPOINT, headers=KEY)
    assert (refused.status, refused.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_sealed_answer_cannot_be_moved_to_another_key(
    alice: Client, conn: Connection
) -> None:
    await alice.post("/webhooks", ENDPOINT, headers=KEY)
    await conn.execute("UPDATE idempotency_keys SET key = 'moved'")
    reply = await alice.post("/webhooks", ENDPOINT, headers={"Idempotency-Key": "moved"})
    assert reply.status == 500
    assert b"whsec_" not in reply.body
