"""Holds answers against the OpenAPI document that the code makes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tokportal_server.entry.operations import all_operations
from tokportal_server.http.openapi import document

_ALWAYS = ("X-TokPortal-API-Version", "X-TokPortal-API-Stability", "X-TokPortal-Request-ID")
_RATE = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@cache
def openapi() -> dict[str, Any]:
    """The document, with every value as JSON has it."""
    loaded: dict[str, Any] = json.loads(json.dumps(document(all_operations())))
    return loaded


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    # Literal paths first, as the router has it.
    paths = sorted(openapi()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Find the operation that a request is for."""
    for pattern, template in _patterns():
        if pattern.fullmatch(path.partition("?")[0]):
            method = "get" if method == "HEAD" else method.lower()
            found: dict[str, Any] | None = openapi()["paths"][template].get(method)
            if found is not None:
                return found
    return None


@cache
def _validator(pointer: str) -> Draft202012Validator:
    resource = Resource.from_contents(openapi(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:openapi", resource)
    return Draft202012Validator({"$ref": f"urn:openapi#{pointer}"}, registry=registry)


def _pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def check_answer(
    method: str, path: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Fail if the answer is not one that its operation declares."""
    for name in _ALWAYS:
        assert name in headers, f"{method} {path}: {status} without {name}"
    operation = operation_of(method, path)
    if operation is None:
        return
    declared = operation["responses"]
    assert str(status) in declared, (
        f"{operation['operationId']} does not declare {status}: {body!r}"
    )
    if operation["security"] and status != 401:
        for name in _RATE:
            assert name in headers, f"{method} {path}: {status} without {name}"
    if method == "HEAD" or "content" not in declared[str(status)]:
        assert not body
        return
    template = next(
        t
        for pattern, t in _patterns()
        if pattern.fullmatch(path.partition("?")[0])
        and operation is openapi()["paths"][t].get(method.lower())
    )
    value = json.loads(body)
    pointer = _pointer(
        "paths",
        template,
        method.lower(),
        "responses",
        str(status),
        "content",
        "application/json",
        "schema",
    )
    errors = [f"{e.json_path}: {e.message}" for e in _validator(pointer).iter_errors(value)]
    assert not errors, f"{operation['operationId']} {status}: {errors[:5]}"
    if "x-error-codes" in declared[str(status)]:
        assert value["error"]["code"] in declared[str(status)]["x-error-codes"]
