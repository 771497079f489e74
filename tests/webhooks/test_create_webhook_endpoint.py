from __future__ import annotations

import re

import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.conftest import serving
from tests.lib.hostile_urls import HOSTILE, SPELLINGS
from tests.webhooks.api import body, created, dry_run
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.webhooks.sealing import open_secret


async def test_makes_an_endpoint_and_shows_its_secret_once(alice: Client) -> None:
    reply = await alice.post("/webhooks", body(url="https://example.com/a", description="Orders"))
    assert reply.status == 201
    assert re.fullmatch("whsec_[0-9a-f]{64}", reply.data["signing_secret"])
    assert reply.data["url"] == "https://example.com/a"
    assert reply.data["events"] == ["bundle.created", "video.finalized"]
    assert reply.data["description"] == "Orders"
    assert reply.data["enabled"] is True
    assert reply.data["consecutive_failures"] == 0
    again = await alice.get(f"/webhooks/{reply.data['id']}")
    assert again.data == {k: v for k, v in reply.data.items() if k != "signing_secret"}


async def test_stores_the_secret_sealed_and_bound_to_its_row(
    alice: Client, conn: Connection, ports: Ports
) -> None:
    endpoint = await created(alice)
    row = await conn.fetchrow("SELECT * FROM webhook_endpoints")
    assert row is not None
    assert endpoint["signing_secret"].encode() not in row["secret_sealed"]
    opened = open_secret(
        ports.vault,
        row["secret_sealed"],
        workspace_id=row["workspace_id"],
        endpoint_id=row["id"],
    )
    assert opened == endpoint["signing_secret"]


async def test_takes_neutral_values_for_what_is_optional(alice: Client) -> None:
    assert (await created(alice, description=None))["description"] is None
    assert (await created(alice, description=""))["description"] is None
    assert (await created(alice, enabled=False))["enabled"] is False


async def test_accepts_event_types_of_newer_clients(alice: Client) -> None:
    assert (await created(alice, events=["account.remade"]))["events"] == ["account.remade"]


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.post("/webhooks", body())
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_refuses_a_read_only_key(bob: Client) -> None:
    reply = await bob.post("/webhooks", body())
    assert (reply.status, reply.code) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_refuses_the_same_url_twice_in_a_workspace(alice: Client, charlie: Client) -> None:
    first = await created(alice, url="https://example.com/a")
    reply = await alice.post("/webhooks", body(url="https://example.com/a"))
    assert (reply.status, reply.code) == (409, "WEBHOOK_ENDPOINT_EXISTS")
    assert reply.details == {"existing_endpoint_id": first["id"]}
    assert (await charlie.post("/webhooks", body(url="https://example.com/a"))).status == 201


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hooks",
        "ftp://example.com/hooks",
        "https://10.0.0.1/hooks",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/",
        "https://user:pass@example.com/",
        "https://example.com:22/",
        "https://intranet/",
        "https://2130706433/",
        "example.com/hooks",
        "https://exa mple.com/",
        "",
    ],
)
async def test_refuses_a_url_that_may_not_be_called(alice: Client, url: str) -> None:
    reply = await alice.post("/webhooks", body(url=url))
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert list(reply.problems) == ["url"]


@pytest.mark.hazard(20)
async def test_no_hostile_address_or_spelling_becomes_an_endpoint(
    settings: Settings, world: World, conn: Connection
) -> None:
    urls = [f"https://{f'[{a}]' if ':' in a else a}/" for a in HOSTILE] + SPELLINGS
    assert len(HOSTILE) >= 42
    assert len(SPELLINGS) >= 21
    strict = msgspec.structs.replace(settings, webhooks_allow_loopback=False)
    async with serving(strict) as address, Client(address, world.alice_key) as alice:
        mine = (await created(alice, url="https://example.com/mine"))["id"]
        for url in urls:
            made = await alice.post("/webhooks", body(url=url))
            moved = await alice.call("PATCH", f"/webhooks/{mine}", json={"url": url})
            assert (made.status, moved.status) == (400, 400), url
    stored = await conn.fetch("SELECT url FROM webhook_endpoints")
    assert [row["url"] for row in stored] == ["https://example.com/mine"]


@pytest.mark.parametrize(
    ("events", "fields"),
    [
        ([], ["events"]),
        (["bundle.exploded"], ["events[0]"]),
        (["bundle.created", "bundle.created"], ["events[1]"]),
        (["bundle.created", 7], ["events[1]"]),
        ("bundle.created", ["events"]),
        (None, ["events"]),
    ],
)
async def test_refuses_events_that_are_unknown_or_named_twice(
    alice: Client, events: object, fields: list[str]
) -> None:
    reply = await alice.post("/webhooks", body(events=events))
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert list(reply.problems) == fields


async def test_names_every_problem_at_once(alice: Client) -> None:
    reply = await alice.post(
        "/webhooks", {"events": [], "description": "x" * 501, "enabled": "yes", "secret": "mine"}
    )
    assert set(reply.problems) == {"url", "events", "description", "enabled", "secret"}


async def test_refuses_an_unknown_field(alice: Client) -> None:
    reply = await alice.post("/webhooks", body(secret="mine"))
    assert (reply.status, reply.code) == (400, "UNKNOWN_FIELD")
    assert reply.details == {"fields": ["secret"]}


async def test_replays_the_same_secret_for_the_same_key_and_stores_it_sealed(
    alice: Client, conn: Connection
) -> None:
    wanted, headers = body(), {"Idempotency-Key": "hook-1"}
    first = await alice.post("/webhooks", wanted, headers=headers)
    second = await alice.post("/webhooks", wanted, headers=headers)
    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await conn.fetchval("SELECT count(*) FROM webhook_endpoints") == 1
    stored = await conn.fetchrow("SELECT body, sealed FROM idempotency_keys")
    assert stored is not None
    assert stored["sealed"]
    assert first.data["signing_secret"].encode() not in stored["body"]


async def test_refuses_the_same_key_for_another_request(alice: Client) -> None:
    headers = {"Idempotency-Key": "hook-1"}
    await alice.post("/webhooks", body(), headers=headers)
    reply = await alice.post("/webhooks", body(), headers=headers)
    assert (reply.status, reply.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_dry_run_mints_no_secret_and_writes_nothing(
    alice: Client, conn: Connection
) -> None:
    reply = await alice.post("/webhooks", body(), headers=dry_run())
    assert reply.status == 201
    assert reply.data["signing_secret"] is None
    assert reply.data["id"].startswith("00000000-0000-4000-8000-")
    assert reply.json["dry_run"] is True
    assert await conn.fetchval("SELECT count(*) FROM webhook_endpoints") == 0
    assert await conn.fetchval("SELECT count(*) FROM journal") == 0


async def test_a_dry_run_makes_the_same_checks(alice: Client) -> None:
    await created(alice, url="https://example.com/a")
    again = await alice.post("/webhooks", body(url="https://example.com/a"), headers=dry_run())
    assert (again.status, again.code) == (409, "WEBHOOK_ENDPOINT_EXISTS")
    private = await alice.post("/webhooks", body(url="https://10.0.0.1/"), headers=dry_run())
    assert private.status == 400
