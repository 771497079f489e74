from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from tests.cast import World
from tests.client import Client
from tests.console.test_orders import console
from tests.orders.walk import order
from tests.pages.guest import Guest
from tokportal_server.lib.db import Connection

LINES = "SELECT * FROM api_requests WHERE workspace_id = $1 ORDER BY ordinal"


async def logged(conn: Connection, world: World, count: int) -> list[Any]:
    """Wait until so many lines are written, which happens once a second."""
    for _ in range(600):
        rows = await conn.fetch(LINES, world.acme)
        if len(rows) >= count:
            return rows
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(rows)} lines instead of {count}")


async def test_a_request_is_found_by_its_id_with_why_it_was_refused(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    refused = await alice.post(
        "/bundles", {"bundle_type": "odd"}, headers={"X-Request-ID": "mine/1"}
    )
    assert refused.status == 400
    await logged(conn, world, 1)
    there = console(world, "requests")
    listed = await customer.get(there)
    assert "POST /api/ext/bundles" in listed.text
    assert "VALIDATION_ERROR" in listed.text
    sought = await customer.get(f"{there}?id=mine%2F1")
    seen = await customer.get(sought.to)
    assert "bundle_type" in seen.text
    assert "createBundle" in seen.text
    assert "Alice's key" in seen.text
    assert (await customer.get(f"{there}/find?id=unheard-of")).status == 404


async def test_the_list_keeps_to_its_filters(
    alice: Client, bob: Client, conn: Connection, world: World, customer: Guest
) -> None:
    await alice.get("/me")
    await bob.get("/credits/balance")
    await alice.get(f"/bundles/{uuid4()}")
    await logged(conn, world, 3)
    there = console(world, "requests")
    for query, paths in {
        "": {"/me", "/credits/balance", "/bundles/"},
        "?status=4xx": {"/bundles/"},
        "?status=404": {"/bundles/"},
        "?status=2xx": {"/me", "/credits/balance"},
        "?status=refused": {"/bundles/"},
        "?path=credit": {"/credits/balance"},
        f"?key={world.alice_key_id}": {"/me", "/bundles/"},
        "?from=2999-01-01": set(),
        "?to=2001-01-01": set(),
    }.items():
        text = (await customer.get(there + query)).text
        found = {path for path in ("/me", "/credits/balance", "/bundles/") if f"ext{path}" in text}
        assert found == paths, query
    for odd in ("?status=odd", "?key=x", "?before=x", "?from=9999-12-31", "?path=%00"):
        assert (await customer.get(there + odd)).status in (200, 400), odd


async def test_older_requests_are_a_page_further(
    alice: Client, conn: Connection, world: World, customer: Guest
) -> None:
    for _ in range(52):
        await alice.get("/me")
    await logged(conn, world, 52)
    there = console(world, "requests")
    first = await customer.get(there)
    assert first.text.count("GET /api/ext/me") == 50
    rows = await conn.fetch(LINES, world.acme)
    second = await customer.get(f"{there}?before={rows[2]['ordinal']}")
    assert second.text.count("GET /api/ext/me") == 2
    assert f"before={rows[2]['ordinal']}" in first.html


async def test_the_log_tells_dry_runs_replays_and_rate_limits_and_keeps_no_secret(
    alice: Client, conn: Connection, world: World
) -> None:
    body = order(0)
    await alice.post("/bundles", body, headers={"X-TokPortal-Dry-Run": "true"})
    key = {"Idempotency-Key": "once"}
    await alice.post("/bundles", body, headers=key)
    await alice.post("/bundles", body, headers=key)
    await conn.execute("UPDATE api_keys SET bucket_capacity = 1, bucket_refill = 0.0001")
    await alice.get(f"/me?password=hunter2&key={world.alice_key}")
    limited = await alice.get("/me")
    assert limited.status == 429
    rows = await logged(conn, world, 5)
    assert [row["dry_run"] for row in rows[:3]] == [True, False, False]
    assert [row["replayed"] for row in rows[:3]] == [False, False, True]
    assert [row["idempotency_key"] for row in rows[:3]] == [None, "once", "once"]
    assert rows[4]["error_code"] == "RATE_LIMIT_EXCEEDED"
    told = repr([tuple(row) for row in rows])
    assert "hunter2" not in told
    assert world.alice_key[10:] not in told


async def test_requests_without_a_key_of_ours_are_nobodys(
    nobody: Client, alice: Client, conn: Connection, world: World
) -> None:
    assert (await nobody.get("/me")).status == 401
    await alice.get("/me")
    rows = await logged(conn, world, 1)
    assert [row["status"] for row in rows] == [200]
    assert await conn.fetchval("SELECT count(*) FROM api_requests") == 1


async def test_an_empty_log_says_what_to_do_and_strangers_see_no_log(
    customer: Guest, viewer: Guest, stranger: Guest, alice: Client, conn: Connection, world: World
) -> None:
    assert "Go to the keys" in (await customer.get(console(world, "requests"))).text
    await alice.get("/me", headers={"X-Request-ID": "alices"})
    await logged(conn, world, 1)
    assert "/api/ext/me" in (await viewer.get(console(world, "requests"))).text
    assert (await stranger.get(console(world, "requests"))).status == 404
    other = f"/console/{world.other}/requests/find?id=alices"
    assert (await stranger.get(other)).status == 404
