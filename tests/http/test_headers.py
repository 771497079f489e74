"""What every answer carries, whatever became of the request (contract section 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import uuid4

import aiohttp

from tests.client import Client, Reply
from tests.http.examples import JSON, built, path_of, perform
from tests.http.seed import Seed
from tokportal_server.lib.db import Connection

ALLOWED = {
    "X-API-Key",
    "Content-Type",
    "Idempotency-Key",
    "X-Request-ID",
    "X-TokPortal-Client",
    "X-TokPortal-Dry-Run",
    "X-TokPortal-Stale-Dates",
}
EXPOSED = {
    "X-TokPortal-API-Version",
    "X-TokPortal-API-Stability",
    "X-TokPortal-Request-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Retry-After",
    "Allow",
    "Idempotent-Replayed",
    "X-TokPortal-Dry-Run",
    "X-TokPortal-Analytics-Contract",
}


def words(header: str) -> set[str]:
    """Split a list of names."""
    return {word.strip() for word in header.split(",")}


def check_always(headers: Mapping[str, str]) -> None:
    """Fail unless what every answer carries is there, once."""
    assert headers["X-TokPortal-API-Version"] == "2026-05-25"
    assert headers["X-TokPortal-API-Stability"] == "stable"
    assert re.fullmatch("req_[0-9a-f]{32}", headers["X-TokPortal-Request-ID"])
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers
    assert words(headers["Access-Control-Expose-Headers"]) >= EXPOSED
    for name in ("X-TokPortal-API-Version", "X-TokPortal-Request-ID", "Content-Type"):
        assert len(headers.getall(name, [])) <= 1  # type: ignore[attr-defined]


async def test_every_answer_carries_version_stability_and_request_id(alice: Client) -> None:
    for method, path, status in [
        ("GET", "/me", 200),
        ("HEAD", "/me", 200),
        ("GET", "/countries", 200),
        ("POST", "/bundles", 400),
        ("GET", "/nowhere", 404),
        ("GET", "/bundles/17", 404),
        ("PATCH", "/me", 404),
        ("GET", "/bundles/bulk", 405),
        ("OPTIONS", "/bundles", 204),
        ("OPTIONS", "/nowhere", 204),
    ]:
        reply = await alice.call(method, path)
        assert reply.status == status
        check_always(reply.headers)


async def test_answers_outside_the_api_carry_them_too(server: str) -> None:
    for path in ["/", "/nowhere", "/healthz", "/media/nothing", "/api/ext"]:
        async with aiohttp.ClientSession() as session, session.get(server + path) as answer:
            check_always(answer.headers)


async def test_a_401_and_a_replay_carry_them(alice: Client, nobody: Client) -> None:
    check_always((await nobody.get("/me")).headers)
    order = {"bundle_type": "account_only", "country": "USA"}
    for _ in range(2):
        reply = await alice.post("/bundles", order, headers={"Idempotency-Key": "again"})
        check_always(reply.headers)
    assert reply.headers["Idempotent-Replayed"] == "true"


async def test_a_500_carries_them_and_shows_no_internals(alice: Client, conn: Connection) -> None:
    await conn.execute("ALTER TABLE credit_lots RENAME TO somewhere_else")
    reply = await alice.get("/credits/balance", headers={"X-Request-ID": "mine"})
    assert reply.status == 500
    assert reply.code == "INTERNAL_ERROR"
    assert reply.headers["X-TokPortal-Request-ID"] == "mine"
    assert set(reply.json["error"]) == {"code", "message", "request_id"}
    for internal in (b"credit_lots", b"asyncpg", b"Traceback", b"relation", b"SELECT"):
        assert internal not in reply.body


async def test_a_proper_request_id_is_echoed_in_header_and_error(alice: Client) -> None:
    for given in ["a", "!", "~", "order-17/42", "{}", "x" * 128, '"quoted"']:
        headers = {"X-Request-ID": given}
        assert (await alice.get("/me", headers=headers)).headers["X-TokPortal-Request-ID"] == given
        refused = await alice.get("/nowhere", headers=headers)
        assert refused.headers["X-TokPortal-Request-ID"] == given
        assert refused.json["error"]["request_id"] == given


async def test_an_improper_request_id_is_replaced(alice: Client) -> None:
    for given in ["", "x" * 129, "two words", "caf\u00e9", "a\tb", "\u2028"]:
        reply = await alice.get("/nowhere", headers={"X-Request-ID": given})
        made = reply.headers["X-TokPortal-Request-ID"]
        assert re.fullmatch("req_[0-9a-f]{32}", made)
        assert reply.json["error"]["request_id"] == made


async def test_two_requests_never_share_a_made_request_id(alice: Client) -> None:
    made = [(await alice.get("/countries")).headers["X-TokPortal-Request-ID"] for _ in range(3)]
    assert len(set(made)) == 3


async def test_a_preflight_allows_any_origin_every_method_and_the_named_headers(
    nobody: Client,
) -> None:
    reply = await nobody.call(
        "OPTIONS",
        "/bundles",
        headers={
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "x-api-key",
        },
    )
    assert reply.body == b""
    assert words(reply.headers["Access-Control-Allow-Headers"]) == ALLOWED
    methods = words(reply.headers["Access-Control-Allow-Methods"])
    assert methods >= {"GET", "POST", "PUT", "PATCH", "DELETE"}


async def test_the_rate_limit_headers_count_down_and_are_absent_from_a_401(
    alice: Client, nobody: Client
) -> None:
    first, second = await alice.get("/me"), await alice.get("/bundles/17")
    assert first.headers["X-RateLimit-Limit"] == "100000"
    assert first.headers["X-RateLimit-Remaining"] == "99999"
    assert int(second.headers["X-RateLimit-Remaining"]) <= 99999
    assert first.headers["X-RateLimit-Reset"].isdigit()
    refused = await nobody.get("/me")
    assert not [name for name in refused.headers if name.lower().startswith("x-ratelimit")]


async def test_head_answers_as_get_without_the_body(alice: Client, seed: Seed) -> None:
    for name, op in built().items():
        if op.method == "GET" and not op.beyond_reference:
            got = await perform(alice, op, seed)
            head = await _head(alice, seed, name)
            assert (name, head.status, head.body) == (name, got.status, b"")
            assert head.headers["Content-Type"] == got.headers["Content-Type"]
    missing = await alice.call("HEAD", f"/bundles/{uuid4()}")
    assert (missing.status, missing.body) == (404, b"")


async def _head(alice: Client, seed: Seed, name: str) -> Reply:
    return await alice.call("HEAD", path_of(name, seed))


async def test_an_answer_is_json_in_the_success_envelope_or_the_error_envelope(
    alice: Client,
) -> None:
    good = await alice.get("/bundles")
    assert good.headers["Content-Type"] == "application/json"
    assert set(good.json) == {"data", "pagination"}
    assert good.json["pagination"] == {"page": 1, "per_page": 25, "total": 0, "total_pages": 0}
    assert set((await alice.get("/me")).json) == {"data"}
    bad = await alice.post("/bundles", body=b"{}", headers=JSON)
    assert bad.headers["Content-Type"] == "application/json"
    assert set(bad.json) == {"error"}
    assert set(bad.json["error"]) == {"code", "message", "details", "request_id"}


async def test_accept_is_never_refused(alice: Client) -> None:
    for accept in ["text/html", "application/xml", "image/png;q=1", "nonsense", ""]:
        reply = await alice.get("/me", headers={"Accept": accept})
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "application/json"
