"""Ids of another workspace in bodies and queries, every field that the served document has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import pytest

from tests.analytics.collecting import GRANT_PLAN
from tests.cast import World
from tests.client import Client, Reply
from tests.http.examples import EXAMPLES, JSON, built
from tests.http.seed import Seed
from tests.uploads.forms import form
from tokportal_server.entry.documents import ROOT
from tokportal_server.http.registry import Operation
from tokportal_server.lib.db import Connection

DOCUMENT: dict[str, Any] = msgspec.json.decode((ROOT / "contract" / "openapi.json").read_bytes())
# What Alice has under each name that a field of ids goes by.
THINGS = {
    "account": "measured",
    "account_id": "account",
    "accountIds": "measured",
    "bundle_id": "fresh",
    "post": "tracked_post",
    "saved_account_id": "account",
    "trackedPostId": "tracked_post",
    "workspace": "workspace",
    "workspaceId": "workspace",
}
# Contract section 10: what is wrong with a row of comments is a 400 with a code of its own.
CONTRACTED = {"createCommentTasks-body-saved_account_id": 400}
# Bodies for those whose example has no such field.
WITH_FIELD = {"createBundle": {"bundle_type": "videos_only", "videos_quantity": 1}}


@dataclass(frozen=True)
class Field:
    """A place for an id of something that a workspace owns."""

    operation_id: str
    where: str
    name: str
    repeated: bool

    def __str__(self) -> str:
        return f"{self.operation_id}-{self.where}-{self.name}"


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = DOCUMENT["components"]
    for part in schema["$ref"].split("/")[2:]:
        found = found[part]
    return found


def _is_id(schema: dict[str, Any]) -> bool:
    schema = _resolved(schema)
    options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return schema.get("format") == "uuid" or any(map(_is_id, options))


def _ids_of(where: str, name: str, schema: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    schema = _resolved(schema)
    if _is_id(schema):
        yield where, name, False
    for listed in [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        if _is_id(_resolved(listed).get("items", {})):
            yield where, name, True


def fields() -> list[Field]:
    """Give every id field of the document that is no path parameter."""
    found = []
    for methods in DOCUMENT["paths"].values():
        for method, described in methods.items():
            if method in {"parameters", "servers"}:
                continue
            places = []
            for parameter in map(_resolved, described.get("parameters", ())):
                if parameter["in"] == "query":
                    places += list(_ids_of("query", parameter["name"], parameter["schema"]))
            for content in described.get("requestBody", {}).get("content", {}).values():
                for name, schema in _resolved(content["schema"]).get("properties", {}).items():
                    places += list(_ids_of("body", name, schema))
            found += [Field(described["operationId"], *place) for place in places]
    return found


async def _send(client: Client, operation: Operation, field: Field, seed: Seed, of: str) -> Reply:
    """Make the operation's example call with an id in the field."""
    example = EXAMPLES[field.operation_id]
    path = example.path.format(**asdict(seed))
    headers: dict[str, str] = {}
    body = WITH_FIELD.get(field.operation_id, example.body)
    payload: bytes | None = None
    if field.where == "query":
        path += f"?{field.name}={of}"
    elif operation.form is not None:
        payload, headers = form(example.file, {**example.fields, field.name: of})
    else:
        known = {k: v.format(**asdict(seed)) if isinstance(v, str) else v for k, v in body.items()}
        payload = json.dumps({**known, field.name: [of] if field.repeated else of}).encode()
        headers = JSON
    return await client.call(
        operation.method, path, body=payload, headers=headers, base=operation.base_path
    )


def test_the_document_has_ids_in_queries_and_in_bodies() -> None:
    places = {(field.where, field.repeated) for field in fields()}
    assert places == {("query", False), ("query", True), ("body", False), ("body", True)}
    assert {field.name for field in fields()} == set(THINGS)


@pytest.mark.hazard(33)
async def test_an_id_of_another_workspace_names_nothing_in_any_query_or_body(
    charlie: Client, seed: Seed, world: World, conn: Connection
) -> None:
    await conn.execute(GRANT_PLAN, world.other)
    things = {**asdict(seed), "workspace": str(world.acme)}
    told = {}
    for field in fields():
        operation = built()[field.operation_id]
        reply = await _send(charlie, operation, field, seed, things[THINGS[field.name]])
        told[str(field)] = reply.status
    assert told == {field: CONTRACTED.get(field, 404) for field in told}
