"""Holds answers against the OpenAPI document that the code makes, and notes what was reached."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tokportal_server.entry.operations import all_operations
from tokportal_server.http.openapi import document
from tokportal_server.http.registry import BASE_PATH

_ALWAYS = ("X-TokPortal-API-Version", "X-TokPortal-API-Stability", "X-TokPortal-Request-ID")
_RATE = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
LEDGER = "STATUS_LEDGER_DIR"
"""Names the directory in which each test process notes the answers that it has met."""


@cache
def openapi() -> dict[str, Any]:
    """The document, with every value as JSON has it."""
    loaded: dict[str, Any] = json.loads(json.dumps(document(all_operations())))
    return loaded


@cache
def _templates() -> list[tuple[str, re.Pattern[str], str]]:
    # Literal paths first, as the router has it.
    paths = sorted(openapi()["paths"], key=lambda path: path.count("{"))
    return [
        (
            openapi()["paths"][path].get("servers", [{"url": BASE_PATH}])[0]["url"],
            re.compile(re.sub(r"\{\w+\}", "[^/]+", path)),
            path,
        )
        for path in paths
    ]


def template_of(method: str, path: str, *, base: str = BASE_PATH) -> str | None:
    """Find the path of the document that a request is for, if it has the request's method."""
    path = path.partition("?")[0]
    for server, pattern, template in _templates():
        if server == base and pattern.fullmatch(path):
            return template if _verb(method) in openapi()["paths"][template] else None
    return None


def _verb(method: str) -> str:
    return "get" if method == "HEAD" else method.lower()


@cache
def _validator(pointer: str) -> Draft202012Validator:
    resource = Resource.from_contents(openapi(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:openapi", resource)
    return Draft202012Validator({"$ref": f"urn:openapi#{pointer}"}, registry=registry)


def _pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def check_answer(
    method: str,
    path: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    base: str = BASE_PATH,
) -> None:
    """Fail if the answer is not one that its operation declares."""
    for name in _ALWAYS:
        assert name in headers, f"{method} {path}: {status} without {name}"
    template = template_of(method, path, base=base)
    if template is None:
        return
    operation = openapi()["paths"][template][_verb(method)]
    name, declared = operation["operationId"], operation["responses"].get(str(status))
    assert declared is not None, f"{name} does not declare {status}: {body[:2000]!r}"
    # A 401 is nobody's bucket; nor can a bucket be looked at while the database is away.
    if operation["security"] and status not in {401, 503}:
        for header in _RATE:
            assert header in headers, f"{method} {path}: {status} without {header}"
    if method == "HEAD" or "content" not in declared:
        assert not body, f"{name}: {status} with a body: {body[:200]!r}"
        note(name, status, None)
        return
    kind = headers["Content-Type"].partition(";")[0]
    assert kind in declared["content"], f"{name} does not declare {kind} for {status}"
    code = None
    if kind == "application/json":
        where = _pointer("paths", template, _verb(method), "responses", str(status), "content")
        code = _check_json(name, where + _pointer(kind, "schema"), declared, status, body)
    note(name, status, code)


def _check_json(
    name: str, schema: str, declared: Mapping[str, Any], status: int, body: bytes
) -> str | None:
    """Hold a body against the schema of its answer; give the code of an error."""
    value = json.loads(body)
    errors = [f"{e.json_path}: {e.message}" for e in _validator(schema).iter_errors(value)]
    assert not errors, f"{name} {status}: {errors[:5]}"
    if "x-error-codes" not in declared:
        return None
    code = str(value["error"]["code"])
    assert code in declared["x-error-codes"], f"{name} does not declare {code} for {status}"
    return code


_noted: set[tuple[str, int, str | None]] = set()


def note(operation_id: str, status: int, code: str | None) -> None:
    """Put an answer into this process's part of the status ledger, if one is kept."""
    directory = os.environ.get(LEDGER)
    if not directory or (operation_id, status, code) in _noted:
        return
    _noted.add((operation_id, status, code))
    Path(directory).mkdir(parents=True, exist_ok=True)
    with (Path(directory) / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps([operation_id, status, code]) + "\n")
