"""Every text of every operation: nothing that is written there is more than a text."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from tests.client import Client
from tests.contract import openapi
from tests.hostile.texts import HOSTILE_TEXTS, MARKUP
from tests.http.examples import EXAMPLES, JSON, NAMES_IN_BODY, path_of, perform, writes
from tests.http.seed import Seed
from tests.uploads import media
from tests.uploads.forms import form
from tokportal_server.http.registry import Operation
from tokportal_server.lib.db import Connection

DRY = {"X-TokPortal-Dry-Run": "true"}
BODIES = {
    name: op
    for name, op in writes().items()
    if op.body is not None and EXAMPLES[name].refused_with is None
}
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


def schema_of(reference: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference of the document."""
    while "$ref" in reference:
        at: Any = openapi()
        for part in reference["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        reference = at
    return reference


def ways_to_texts(schema: dict[str, Any], way: tuple[str | int, ...] = ()) -> Iterator[Any]:
    """Yield the way to every place of a body that may hold a text."""
    schema = schema_of(schema)
    for option in schema.get("anyOf", schema.get("oneOf", [])):
        yield from ways_to_texts(option, way)
    kinds = schema.get("type")
    if kinds == "string" or (isinstance(kinds, list) and "string" in kinds):
        yield way
    for name, part in schema.get("properties", {}).items():
        yield from ways_to_texts(part, (*way, name))
    if isinstance(schema.get("items"), dict):
        yield from ways_to_texts(schema["items"], (*way, 0))


def body_schema(op: Operation) -> dict[str, Any]:
    """Give what the document says of an operation's body."""
    described: dict[str, Any] = openapi()["paths"][op.path][op.method.lower()]["requestBody"]
    schema: dict[str, Any] = described["content"]["application/json"]["schema"]
    return schema


def with_text(body: Any, way: tuple[str | int, ...], text: str) -> Any:
    """Give a copy of a body with a text at the end of a way, which is made as far as need be."""
    changed = copy.deepcopy(body)
    at = changed
    for number, step in enumerate(way[:-1]):
        missing: Any = [] if isinstance(way[number + 1], int) else {}
        if isinstance(at, list):
            at[:] = at or [missing]
            at = at[0]
        else:
            at = at.setdefault(step, missing)
            if at is None:
                return changed
    if isinstance(at, list):
        at[:] = [text]
    else:
        at[way[-1]] = text
    return changed


async def _send(client: Client, op: Operation, seed: Seed, body: Any, headers: Any) -> Any:
    return await client.call(
        op.method,
        path_of(op.operation_id, seed),
        body=json.dumps(body).encode(),
        headers=JSON | headers,
        base=op.base_path,
    )


def example_of(name: str, seed: Seed) -> Any:
    """Give the body of an operation's example."""
    body = EXAMPLES[name].body or {}
    if name in NAMES_IN_BODY:
        return {key: value.format(**asdict(seed)) for key, value in body.items()}
    return body


async def test_every_text_of_every_body_is_taken_or_refused(
    alice: Client, conn: Connection, seed: Seed
) -> None:
    """Client holds each answer against the document; here it is that none is a failure."""
    tables = await conn.fetchval(TABLES)
    told, sent = {}, 0
    for name, op in BODIES.items():
        body = example_of(name, seed)
        for way in set(ways_to_texts(body_schema(op))):
            if not way:
                continue
            for text in HOSTILE_TEXTS:
                reply = await _send(alice, op, seed, with_text(body, way, text), DRY)
                sent += 1
                if reply.status >= 500:
                    told[name, way, text[:30]] = reply.body[:300]
    assert told == {}
    assert sent > 1000
    assert await conn.fetchval(TABLES) == tables


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("createBundle", "title"),
        ("updateBundle", "title"),
        ("patchBundleVideo", "name"),
        ("updateWebhookEndpoint", "description"),
        ("requestBundleAccountCorrections", "comment"),
    ],
)
async def test_a_text_that_is_taken_comes_back_as_it_was(
    alice: Client, seed: Seed, name: str, field: str
) -> None:
    text = f"'; -- {MARKUP}{{{{7*7}}}} %s $1"
    reply = await _send(
        alice, BODIES[name], seed, with_text(example_of(name, seed), (field,), text), {}
    )
    assert reply.status < 300, reply.body
    assert text in json.dumps(reply.json, ensure_ascii=False).replace('\\"', '"')


async def test_every_text_of_a_form_is_taken_or_refused(alice: Client) -> None:
    for text in HOSTILE_TEXTS:
        body, headers = form(media.jpeg(), {"bundle_id": text})
        reply = await alice.post("/upload/image/direct", body=body, headers=headers)
        assert 400 <= reply.status < 500, text[:30]


@pytest.mark.parametrize("filename", [one for one in HOSTILE_TEXTS if "\0" not in one])
async def test_the_name_of_a_file_is_a_name_alone(alice: Client, seed: Seed, filename: str) -> None:
    """It is given back in a header, where a line end would begin another."""
    name = filename.replace('"', "%22").replace("\r", "").replace("\n", "%0A")
    raw, headers = form(media.jpeg(), {"bundle_id": seed.fresh}, filename=name)
    reply = await alice.post("/upload/image/direct", body=raw, headers=headers)
    if reply.status >= 400:
        assert reply.status < 500
        return
    url = reply.data["public_url"].partition("/media/")[2]
    served = await alice.call("GET", f"/media/{url}", base="")
    assert served.status == 200
    disposition = served.headers["Content-Disposition"]
    assert disposition.startswith("inline; filename*=UTF-8''")
    assert disposition.isascii()
    assert served.headers["Content-Type"] == "image/jpeg"
    assert served.headers["X-Content-Type-Options"] == "nosniff"


async def test_every_header_that_is_read_may_hold_anything(alice: Client, seed: Seed) -> None:
    op = writes()["updateBundle"]
    told = {}
    sendable = [t for t in HOSTILE_TEXTS if t.isprintable() and t.isascii() and len(t) < 4000]
    for header in (
        *("Idempotency-Key", "X-TokPortal-Dry-Run", "X-TokPortal-Stale-Dates", "X-Request-ID"),
        *("X-TokPortal-Client", "X-API-Key", "User-Agent", "Accept", "Accept-Language", "Cookie"),
        *("X-Forwarded-For", "Forwarded", "Range", "If-None-Match", "If-Range", "Authorization"),
        *("Content-Encoding", "Referer", "traceparent", "tracestate", "Origin"),
    ):
        for text in sendable:
            reply = await perform(alice, op, seed, headers={header: text})
            if reply.status >= 500:
                told[header, text[:30]] = reply.body[:200]
    assert told == {}
