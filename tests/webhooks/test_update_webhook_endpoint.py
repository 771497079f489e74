from __future__ import annotations

from typing import Any

import pytest

from tests.client import Client, Reply
from tests.webhooks.api import MALFORMED, UNKNOWN, body, created, dry_run
from tokportal_server.lib.db import Connection


async def patch(client: Client, endpoint_id: str, json: Any, **headers: str) -> Reply:
    return await client.call("PATCH", f"/webhooks/{endpoint_id}", json=json, headers=headers)


async def test_changes_what_is_sent_and_nothing_else(alice: Client) -> None:
    before = await created(alice, description="Orders")
    reply = await patch(alice, before["id"], {"events": ["report.created"]})
    assert reply.status == 200
    assert reply.data["events"] == ["report.created"]
    for name in ("id", "url", "description", "enabled", "created_at"):
        assert reply.data[name] == before[name]
    moved = await patch(alice, before["id"], {"url": "https://example.com/moved"})
    assert moved.data["url"] == "https://example.com/moved"
    assert moved.data["events"] == ["report.created"]


async def test_null_clears_the_description(alice: Client) -> None:
    endpoint = await created(alice, description="Orders")
    reply = await patch(alice, endpoint["id"], {"description": None})
    assert reply.data["description"] is None


async def test_enabling_clears_failures_and_reason(alice: Client, conn: Connection) -> None:
    endpoint = await created(alice)
    await conn.execute(
        "UPDATE webhook_endpoints SET enabled = false, disabled_reason = 'gone',"
        " consecutive_failures = 12, first_failure_at = now(), hold_until = now()"
    )
    shown = (await alice.get(f"/webhooks/{endpoint['id']}")).data
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "gone")
    reply = await patch(alice, endpoint["id"], {"enabled": True})
    assert reply.data["enabled"] is True
    assert reply.data["disabled_reason"] is None
    assert reply.data["consecutive_failures"] == 0
    row = await conn.fetchrow("SELECT first_failure_at, hold_until FROM webhook_endpoints")
    assert row is not None
    assert tuple(row) == (None, None)


async def test_tells_the_journal_who_switched_it(alice: Client, conn: Connection) -> None:
    endpoint = await created(alice)
    for enabled in (False, False, True, True):
        await patch(alice, endpoint["id"], {"enabled": enabled})
    rows = await conn.fetch("SELECT * FROM journal ORDER BY ordinal")
    steps = [(row["from_status"], row["to_status"]) for row in rows]
    assert steps == [(None, "enabled"), ("enabled", "disabled"), ("disabled", "enabled")]
    assert {row["actor_kind"] for row in rows} == {"customer"}


async def test_needs_a_key(nobody: Client) -> None:
    reply = await patch(nobody, UNKNOWN, {"enabled": False})
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_refuses_a_read_only_key(alice: Client, bob: Client) -> None:
    endpoint = await created(alice)
    reply = await patch(bob, endpoint["id"], {"enabled": False})
    assert (reply.status, reply.code) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_does_not_know_a_strangers_endpoint(alice: Client, charlie: Client) -> None:
    endpoint = await created(alice)
    reply = await patch(charlie, endpoint["id"], {"enabled": False})
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).data["enabled"] is True


@pytest.mark.parametrize("endpoint_id", [MALFORMED, UNKNOWN])
async def test_does_not_know_an_id_that_names_nothing(alice: Client, endpoint_id: str) -> None:
    reply = await patch(alice, endpoint_id, {"enabled": False})
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


async def test_refuses_another_endpoints_url_as_invalid(alice: Client) -> None:
    await created(alice, url="https://example.com/a")
    endpoint = await created(alice)
    reply = await patch(alice, endpoint["id"], {"url": "https://example.com/a"})
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert list(reply.problems) == ["url"]
    same = await patch(alice, endpoint["id"], {"url": endpoint["url"]})
    assert same.status == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "https://192.168.0.1/"}, "url"),
        ({"url": None}, "url"),
        ({"events": []}, "events"),
        ({"events": ["nothing.happened"]}, "events[0]"),
        ({"events": None}, "events"),
        ({"description": "x" * 501}, "description"),
        ({"enabled": None}, "enabled"),
        ({}, "body"),
        ({"secret": "mine", "events": []}, "secret"),
    ],
)
async def test_refuses_a_change_that_breaks_a_rule(
    alice: Client, change: dict[str, Any], field: str
) -> None:
    endpoint = await created(alice)
    reply = await patch(alice, endpoint["id"], change)
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert field in reply.problems


async def test_refuses_an_unknown_field(alice: Client) -> None:
    endpoint = await created(alice)
    reply = await patch(alice, endpoint["id"], {"enabled": False, "secret": "mine"})
    assert (reply.status, reply.code) == (400, "UNKNOWN_FIELD")


async def test_replays_the_stored_answer(alice: Client) -> None:
    endpoint = await created(alice)
    key = {"Idempotency-Key": "off-1"}
    first = await patch(alice, endpoint["id"], {"enabled": False}, **key)
    await patch(alice, endpoint["id"], {"enabled": True})
    second = await patch(alice, endpoint["id"], {"enabled": False}, **key)
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).data["enabled"] is True


async def test_a_dry_run_changes_nothing(alice: Client) -> None:
    endpoint = await created(alice)
    reply = await patch(alice, endpoint["id"], {"enabled": False}, **dry_run())
    assert reply.data["enabled"] is False
    assert reply.json["dry_run"] is True
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).data["enabled"] is True


async def test_refuses_the_id_that_a_dry_run_gave(alice: Client) -> None:
    imagined = (await alice.post("/webhooks", body(), headers=dry_run())).data["id"]
    reply = await patch(alice, imagined, {"enabled": False})
    assert (reply.status, reply.code) == (400, "DRY_RUN_ID_IN_LIVE_REQUEST")
