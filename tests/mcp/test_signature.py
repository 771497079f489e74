"""How operations of a document become signatures of tools."""

from __future__ import annotations

from typing import Any

import pytest

from tokportal_server.mcp.request import parts_of
from tokportal_server.mcp.signature import DocumentError, Signature, signatures


def document(
    body: dict[str, Any], more: dict[str, Any] | None = None, *, path: str = "/things"
) -> dict[str, Any]:
    """Give a document of one POST with this body, and ``more`` about it."""
    operation = {
        "operationId": "makeThings",
        "summary": "Make things",
        "description": "",
        "tags": ["Things"],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        **(more or {}),
    }
    thing = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "part": {"$ref": "#/components/schemas/Part"}},
        "required": ["name"],
    }
    return {
        "paths": {path: {"post": operation}},
        "components": {
            "schemas": {"Thing": thing, "Part": {"type": "object"}, "Other": {"type": "object"}},
            "parameters": {},
        },
    }


THING = {"$ref": "#/components/schemas/Thing"}


def only(of: dict[str, Any]) -> Signature:
    """Give the only signature of a document."""
    [signature] = signatures(of)
    return signature


def test_references_are_carried_along_and_nothing_else() -> None:
    schema = only(document(THING)).input_schema({})
    assert schema["properties"]["part"] == {"$ref": "#/$defs/Part"}
    assert schema["$defs"] == {"Part": {"type": "object"}}
    assert schema["required"] == ["name"]


def test_of_several_bodies_all_fields_are_arguments_and_those_of_all_required() -> None:
    many = {"type": "object", "properties": {"things": {"type": "array", "items": THING}}}
    signature = only(document({"anyOf": [THING, many]}))
    assert list(signature.arguments) == ["name", "part", "things"]
    assert not any(argument.required for argument in signature.arguments.values())


def test_a_body_that_may_be_left_out_is_left_out_when_it_is_empty() -> None:
    for body, sent in (({"anyOf": [THING, {"type": "null"}]}, None), (THING, b"{}")):
        signature = only(document(body))
        assert parts_of(signature, {}).json_body(always=signature.takes_body) == sent


def test_two_arguments_of_one_name_are_refused() -> None:
    path = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    with pytest.raises(DocumentError, match="makeThings has two arguments named 'name'"):
        signatures(document(THING, {"parameters": [path]}, path="/things/{name}"))


def test_a_body_without_named_fields_is_refused() -> None:
    with pytest.raises(DocumentError, match="makeThings has a body without named fields"):
        signatures(document({"type": "array"}))


def test_what_goes_beyond_the_reference_is_no_tool() -> None:
    assert signatures(document(THING, {"x-beyond-reference": True})) == []


def test_text_that_utf8_cannot_carry_still_reaches_the_api() -> None:
    parts = parts_of(only(document(THING)), {"name": "\ud800"})
    assert parts.json_body(always=True) == b'{"name": "\\ud800"}'
