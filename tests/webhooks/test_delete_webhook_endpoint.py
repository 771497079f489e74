from __future__ import annotations

import pytest

from tests.client import Client, Reply
from tests.webhooks.api import MALFORMED, UNKNOWN, created, dry_run
from tests.webhooks.rig import Rig
from tokportal_server.lib.db import Connection


async def delete(client: Client, endpoint_id: str, **headers: str) -> Reply:
    return await client.call("DELETE", f"/webhooks/{endpoint_id}", headers=headers)


async def test_forgets_the_endpoint_and_frees_its_url(alice: Client, conn: Connection) -> None:
    endpoint = await created(alice, url="https://example.com/a")
    reply = await delete(alice, endpoint["id"])
    assert (reply.status, reply.body) == (204, b"")
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).status == 404
    assert await conn.fetchval("SELECT count(*) FROM webhook_endpoints") == 0
    await created(alice, url="https://example.com/a")


async def test_forgets_what_waits_and_keeps_what_was_sent(
    alice: Client, rig: Rig, conn: Connection
) -> None:
    endpoint = await created(alice)
    await rig.emit(2)
    await conn.execute(
        "UPDATE webhook_deliveries SET status = 'succeeded' WHERE id IN"
        " (SELECT id FROM webhook_deliveries LIMIT 1)"
    )
    await delete(alice, endpoint["id"])
    assert [row["status"] for row in await rig.deliveries()] == ["succeeded"]


async def test_needs_a_key(nobody: Client) -> None:
    reply = await delete(nobody, UNKNOWN)
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_refuses_a_read_only_key(alice: Client, bob: Client) -> None:
    endpoint = await created(alice)
    reply = await delete(bob, endpoint["id"])
    assert (reply.status, reply.code) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_does_not_know_a_strangers_endpoint(alice: Client, charlie: Client) -> None:
    endpoint = await created(alice)
    reply = await delete(charlie, endpoint["id"])
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).status == 200


@pytest.mark.parametrize("endpoint_id", [MALFORMED, UNKNOWN])
async def test_does_not_know_an_id_that_names_nothing(alice: Client, endpoint_id: str) -> None:
    reply = await delete(alice, endpoint_id)
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


async def test_refuses_an_unknown_parameter(alice: Client) -> None:
    endpoint = await created(alice)
    reply = await alice.call("DELETE", f"/webhooks/{endpoint['id']}?force=1")
    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")


async def test_replays_its_empty_answer(alice: Client) -> None:
    endpoint = await created(alice)
    key = {"Idempotency-Key": "gone-1"}
    assert (await delete(alice, endpoint["id"], **key)).status == 204
    again = await delete(alice, endpoint["id"], **key)
    assert (again.status, again.body) == (204, b"")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await delete(alice, endpoint["id"])).status == 404


async def test_a_dry_run_deletes_nothing(alice: Client) -> None:
    endpoint = await created(alice)
    reply = await delete(alice, endpoint["id"], **dry_run())
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["X-TokPortal-Dry-Run"] == "true"
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).status == 200
