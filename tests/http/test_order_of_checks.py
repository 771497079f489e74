"""The order of checks of contract section 1: of two things wrong, the earlier one is answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.cast import World
from tests.client import Client, Reply
from tests.http.examples import JSON
from tests.uploads.forms import form
from tokportal_server.lib.db import Connection
from tokportal_server.workspaces.operations.api_keys import create_api_key

PROBLEM = {"bundle_type": "no such type"}
KEY_TOO_LONG = {"Idempotency-Key": "k" * 256}
ClientOf = Callable[..., Any]


@pytest.fixture
async def client_with(
    server: str, world: World, conn: Connection
) -> AsyncIterator[Callable[..., Any]]:
    """Make clients with keys of Alice's workspace, as a test needs them."""
    opened: list[Client] = []

    async def make(*, used_up: bool = False, **key: Any) -> Client:
        if used_up:
            key |= {"bucket_capacity": 1, "bucket_refill": 0.001}
        _, raw = await create_api_key(
            conn=conn, workspace_id=world.acme, person_id=world.alice, name="of a test", **key
        )
        client = await Client(server, raw).__aenter__()
        opened.append(client)
        if used_up:
            await client.get("/me")
        return client

    yield make
    for client in opened:
        await client.__aexit__(None, None, None)


async def test_route_before_key(nobody: Client) -> None:
    assert (await nobody.get("/nowhere")).code == "NOT_FOUND"
    assert (await nobody.call("DELETE", "/me")).code == "METHOD_NOT_ALLOWED"


async def test_key_before_bucket_and_a_bad_key_takes_no_token(
    client_with: ClientOf, conn: Connection
) -> None:
    client = await client_with(used_up=True)
    await conn.execute("UPDATE api_keys SET revoked_at = now() WHERE name = 'of a test'")
    refused = await client.get("/me")
    assert refused.code == "AUTH_REVOKED_KEY"


async def test_bucket_before_scope(client_with: ClientOf) -> None:
    client = await client_with(used_up=True, scope="read")
    refused = await client.post("/bundles", PROBLEM)
    assert refused.code == "RATE_LIMIT_EXCEEDED"


async def test_a_scope_refusal_takes_a_token(client_with: ClientOf) -> None:
    client = await client_with(scope="read", bucket_capacity=2, bucket_refill=0.001)
    codes = [(await client.post("/bundles", PROBLEM)).code for _ in range(3)]
    assert codes == ["AUTH_INSUFFICIENT_SCOPE"] * 2 + ["RATE_LIMIT_EXCEEDED"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"plain", {"Content-Type": "text/plain"}),
        (b"x" * (2 << 20), JSON),
        (b"{", JSON),
    ],
)
async def test_scope_before_body(bob: Client, body: bytes, headers: dict[str, str]) -> None:
    refused = await bob.post("/bundles", body=body, headers=headers)
    assert refused.code == "AUTH_INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{}", "text/plain", "UNSUPPORTED_CONTENT_TYPE"),
        (b" " * (2 << 20), "application/json", "BODY_TOO_LARGE"),
        (b"{", "application/json", "MALFORMED_JSON"),
    ],
)
async def test_body_before_idempotency_key_and_before_parameters(
    alice: Client, body: bytes, content_type: str, code: str
) -> None:
    headers = {"Content-Type": content_type, **KEY_TOO_LONG}
    assert (await alice.post("/bundles?surprise=1", body=body, headers=headers)).code == code


async def test_the_type_of_a_body_before_its_syntax(alice: Client) -> None:
    refused = await alice.post("/bundles", body=b"{", headers={"Content-Type": "text/plain"})
    assert refused.code == "UNSUPPORTED_CONTENT_TYPE"


async def test_idempotency_key_before_parameters_and_body(alice: Client) -> None:
    for path, body in (("/bundles?surprise=1", {}), ("/bundles", PROBLEM)):
        refused = await alice.post(path, body, headers=KEY_TOO_LONG)
        assert refused.code == "IDEMPOTENCY_KEY_INVALID"


async def test_idempotency_key_before_the_text_of_a_path(alice: Client) -> None:
    refused = await alice.post("/bundles/%00/publish", headers=KEY_TOO_LONG)
    assert refused.code == "IDEMPOTENCY_KEY_INVALID"


async def test_a_reused_key_before_parameters_and_body(alice: Client) -> None:
    key = {"Idempotency-Key": "used"}
    assert (await _order(alice, headers=key)).status == 201
    for path, body in (("/bundles?surprise=1", {}), ("/bundles", PROBLEM)):
        refused = await alice.post(path, body, headers=key)
        assert (refused.status, refused.code) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_the_keys_of_forms_before_their_parts_and_query(alice: Client) -> None:
    body, headers = form(None, {})
    for path in ("/upload/video/direct", "/upload/video/direct?surprise=1"):
        refused = await alice.post(path, body=body, headers=headers | KEY_TOO_LONG)
        assert refused.code == "IDEMPOTENCY_KEY_INVALID"
    refused = await alice.post("/upload/video/direct", body=body, headers=headers)
    assert "file" in refused.problems


async def test_parameters_and_body_before_the_object(alice: Client) -> None:
    missing = f"/bundles/{uuid4()}/account"
    assert (await alice.put(missing, {"username": ""})).code == "VALIDATION_ERROR"
    assert (await alice.put(f"{missing}?x=1", {})).code == "UNKNOWN_PARAMETER"
    assert (await alice.get(f"{missing}?x=1")).code == "UNKNOWN_PARAMETER"


async def test_the_object_before_its_state(alice: Client) -> None:
    bundle = (await _order(alice)).data["id"]
    refused = await alice.post(f"/bundles/{bundle}/videos/1/publish")
    assert refused.code == "VIDEO_NOT_FOUND"
    refused = await alice.post(f"/bundles/{uuid4()}/publish")
    assert refused.code == "BUNDLE_NOT_FOUND"


async def test_state_before_credits(alice: Client, conn: Connection) -> None:
    await _order(alice, external_ref="taken")
    await _spend(conn)
    assert (await _order(alice, external_ref="taken")).code == "DUPLICATE_ACCOUNT_BUNDLE"


async def test_the_create_bucket_before_credits_and_after_state(
    alice: Client, conn: Connection, world: World
) -> None:
    await _order(alice, external_ref="taken")
    await _spend(conn)
    assert (await _order(alice)).code == "INSUFFICIENT_CREDITS"
    await conn.execute(
        "UPDATE buckets SET tokens = -100000, updated_at = now()"
        " WHERE workspace_id = $1 AND kind = 'create'",
        world.acme,
    )
    refused = await _order(alice)
    assert (refused.status, refused.code) == (429, "CREATE_RATE_LIMIT_EXCEEDED")
    assert int(refused.headers["Retry-After"]) == refused.details["retry_after_seconds"] >= 1
    assert (await _order(alice, external_ref="taken")).code == "DUPLICATE_ACCOUNT_BUNDLE"


async def _order(client: Client, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    body = {"bundle_type": "account_only", "country": "USA", **more}
    return await client.post(
        "/bundles", body=json.dumps(body).encode(), headers=JSON | (headers or {})
    )


async def _spend(conn: Connection) -> None:
    """Leave the workspace's lots empty, as if all had been spent."""
    await conn.execute("UPDATE credit_lots SET remaining = 0")
