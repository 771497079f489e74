from __future__ import annotations

import pytest

from tests.client import Client
from tests.webhooks.api import MALFORMED, UNKNOWN, created


async def test_shows_an_endpoint_without_its_secret(alice: Client, bob: Client) -> None:
    endpoint = await created(alice)
    reply = await bob.get(f"/webhooks/{endpoint['id']}")
    assert reply.status == 200
    assert reply.data["url"] == endpoint["url"]
    assert endpoint["signing_secret"].encode() not in reply.body


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.get(f"/webhooks/{UNKNOWN}")
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_does_not_know_a_strangers_endpoint(alice: Client, charlie: Client) -> None:
    endpoint = await created(alice)
    reply = await charlie.get(f"/webhooks/{endpoint['id']}")
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("endpoint_id", [MALFORMED, UNKNOWN])
async def test_does_not_know_an_id_that_names_nothing(alice: Client, endpoint_id: str) -> None:
    reply = await alice.get(f"/webhooks/{endpoint_id}")
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


async def test_refuses_an_unknown_parameter(alice: Client) -> None:
    reply = await alice.get(f"/webhooks/{UNKNOWN}?expand=secret")
    assert (reply.status, reply.code) == (400, "UNKNOWN_PARAMETER")
