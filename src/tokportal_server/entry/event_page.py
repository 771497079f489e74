"""The catalogue of events as a page: when each comes, what its ``data`` holds, and an example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tokportal_server.http.asgi import API_VERSION
from tokportal_server.reference.guides import slug
from tokportal_server.webhooks.catalogue import CATALOGUE, EventType

_ID: Final = "evt_7d1f0c5a9be24e3b8f60d2c4a1e97350"
_AT: Final = "2026-11-23T08:00:00.000Z"


def events_text() -> str:
    """Give every event type, those of one kind together; those never sent only by name."""
    emitted = [entry for entry in CATALOGUE if entry.emitted]
    kinds = dict.fromkeys(entry.type.partition(".")[0] for entry in emitted)
    parts = ["| event | when it comes |", "|---|---|"]
    parts += [f"| [`{e.type}`](#{slug(e.type)}) | {e.description} |" for e in emitted]
    for kind in kinds:
        parts += ["", f"## {kind}"]
        for entry in emitted:
            if entry.type.partition(".")[0] == kind:
                parts += ["", *_one(entry)]
    never = ", ".join(f"`{entry.type}`" for entry in CATALOGUE if not entry.emitted)
    parts += [
        "",
        "## Never sent",
        "",
        f"Known to newer clients, accepted in a subscription: {never}.",
    ]
    return "\n".join(parts)


def _one(entry: EventType) -> Iterator[str]:
    schema: dict[str, Any] = entry.schema or {}
    yield f"### {entry.type}"
    yield ""
    yield entry.description
    yield ""
    yield "| field of `data` | what it is |"
    yield "|---|---|"
    for name, field in schema["properties"].items():
        yield f"| `{name}` | {_words(field, schema)} |"
    yield ""
    yield "```json"
    yield _example(entry)
    yield "```"


def _example(entry: EventType) -> str:
    envelope = {
        "id": _ID,
        "type": entry.type,
        "api_version": API_VERSION,
        "created_at": _AT,
        "data": entry.example,
    }
    return msgspec.json.format(msgspec.json.encode(envelope), indent=2).decode()


def _words(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Say in words what a field holds."""
    name = str(field.get("$ref", "")).rpartition("/")[2]
    if name:
        return _words(schema["$defs"][name], schema)
    told = f": {field['description']}" if "description" in field else ""
    if "anyOf" in field:
        return " or ".join(_words(one, schema) for one in field["anyOf"]) + told
    if "enum" in field:
        return " or ".join("null" if v is None else f"`{v}`" for v in field["enum"]) + told
    if field.get("type") == "array":
        return f"a list; each: {_words(field['items'], schema)}{told}"
    if "properties" in field:
        return "an object with " + ", ".join(f"`{name}`" for name in field["properties"]) + told
    return f"{_KINDS.get(field.get('format', ''), _kind(field))}{told}"


_KINDS: Final = {"uuid": "an id", "date-time": "a time in UTC", "date": "a day"}


def _kind(field: dict[str, Any]) -> str:
    kind = field.get("type")
    known = {
        "string": "a text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "null": "null",
    }
    return known[kind] if isinstance(kind, str) else "anything"
