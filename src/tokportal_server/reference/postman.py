"""A Postman collection (format 2.1) with one request for each operation."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tokportal_server.reference.examples import Example, placeholder_of
from tokportal_server.reference.model import OperationEntry, Reference
from tokportal_server.reference.samples.request import SampleRequest

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_PARAMETER = re.compile(r"\{(\w+)\}")
_PLACEHOLDER_IN_JSON = re.compile(r'"\{(\w+)\}"')


def postman_collection(reference: Reference) -> dict[str, Any]:
    """Make the collection; addresses, the key and ids are its variables."""
    variables = {
        "base_url": "http://127.0.0.1:8000/api/ext",
        "rehearsal_url": "http://127.0.0.1:8000/api/rehearsal",
        "api_key": "",
    } | dict.fromkeys(reference.examples.placeholders, "")
    folders = {
        tag: [_item(entry, entry.example) for entry in entries if entry.example is not None]
        for tag, entries in reference.groups.items()
    }
    return {
        "info": {
            "_postman_id": str(uuid5(NAMESPACE_URL, _SCHEMA + "#tokportal-server")),
            "name": "tokportal-server",
            "schema": _SCHEMA,
        },
        "auth": {
            "type": "apikey",
            "apikey": [
                {"key": "key", "value": "X-API-Key"},
                {"key": "value", "value": "{{api_key}}"},
                {"key": "in", "value": "header"},
            ],
        },
        "variable": [{"key": name, "value": value} for name, value in variables.items()],
        "item": [{"name": tag, "item": items} for tag, items in folders.items() if items],
    }


def _item(entry: OperationEntry, example: Example) -> dict[str, Any]:
    operation = entry.operation
    request: dict[str, Any] = {
        "method": operation.method,
        "header": _headers(SampleRequest(operation, example)),
        "url": _url(entry, example),
        "description": operation.description.replace("``", "`"),
    }
    if operation.public:
        request["auth"] = {"type": "noauth"}
    if body := _body(example):
        request["body"] = body
    return {"name": operation.summary, "request": request, "response": []}


def _headers(request: SampleRequest) -> list[dict[str, str]]:
    """Give the headers; the key comes from the collection, and Postman makes fresh ids itself."""
    values = {
        name: "{{$guid}}" if name == "Idempotency-Key" else str(value)
        for name, value in request.headers.items()
        if name != "X-API-Key"
    }
    return [{"key": name, "value": value} for name, value in values.items()]


def _url(entry: OperationEntry, example: Example) -> dict[str, Any]:
    base = "{{rehearsal_url}}" if entry.operation.has_own_base else "{{base_url}}"
    path = _PARAMETER.sub(lambda match: ":" + match.group(1), entry.operation.path)
    query = "&".join(f"{name}={_value(value)}" for name, value in example.query.items())
    url: dict[str, Any] = {
        "raw": base + path + (f"?{query}" if query else ""),
        "host": [base],
        "path": path.strip("/").split("/"),
    }
    if example.query:
        url["query"] = [{"key": n, "value": _value(v)} for n, v in example.query.items()]
    if example.path:
        url["variable"] = [{"key": n, "value": _value(v)} for n, v in example.path.items()]
    return url


def _body(example: Example) -> dict[str, Any] | None:
    if example.body is not None:
        raw = json.dumps(example.body, indent=2, ensure_ascii=False)
        return {
            "mode": "raw",
            "raw": _PLACEHOLDER_IN_JSON.sub(r'"{{\1}}"', raw),
            "options": {"raw": {"language": "json"}},
        }
    if example.file is None:
        return None
    fields = [
        {"key": name, "value": _value(value), "type": "text"}
        for name, value in example.fields.items()
    ]
    return {
        "mode": "formdata",
        "formdata": [*fields, {"key": "file", "type": "file", "src": example.file}],
    }


def _value(value: str | int) -> str:
    name = placeholder_of(value)
    return f"{{{{{name}}}}}" if name else str(value)
