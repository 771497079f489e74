"""What a tool is called, what it takes and where each argument goes: read from the document.

The OpenAPI document speaks of paths, queries, headers and bodies; a model sees one flat object.
Headers become arguments in the way their names suggest (``Idempotency-Key``: ``idempotency_key``,
``X-TokPortal-Dry-Run``: ``dry_run``), and the file of a form becomes several ways to give one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Place = Literal["path", "query", "header", "body"]
Document = Mapping[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")
_COMPONENT = "#/components/schemas/"
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HEADER_PREFIX = "X-TokPortal-"
_FILE = "file"
# The header is a text so that a proxy cannot mangle it; a model has booleans.
_DRY_RUN = {
    "type": "boolean",
    "description": "Run every check and price the call, but change nothing. Try what costs first.",
}


class DocumentError(ValueError):
    """The OpenAPI document has an operation that cannot become a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a tool, and the name and place it has in the request."""

    name: str
    place: Place
    wire_name: str
    schema: Mapping[str, Any]
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A tool's outside. ``path`` is a template below the base path.

    ``takes_body`` says that a JSON body is sent even when it is empty; ``takes_file`` that the
    operation is a form with a file.
    """

    operation_id: str
    method: str
    path: str
    title: str
    description: str
    tag: str
    arguments: Mapping[str, Argument]
    definitions: Mapping[str, Any]
    takes_body: bool
    takes_file: bool

    @property
    def tool_name(self) -> str:
        """``createBundle`` as ``tokportal_create_bundle``."""
        return "tokportal_" + _WORD_START.sub("_", self.operation_id).lower()

    def input_schema(self, files: Mapping[str, Any]) -> dict[str, Any]:
        """Give the JSON Schema of the arguments; ``files`` are the ways to give a file."""
        properties = {argument.name: dict(argument.schema) for argument in self.arguments.values()}
        schema: dict[str, Any] = {
            "type": "object",
            "properties": properties | (dict(files) if self.takes_file else {}),
            "required": [a.name for a in self.arguments.values() if a.required],
            "additionalProperties": False,
        }
        if self.definitions:
            schema["$defs"] = dict(self.definitions)
        return schema


def signatures(document: Document) -> list[Signature]:
    """Read every operation of the reference, in the document's order.

    Our own additions, which have a base path of their own, are no tools: an agent sees what the
    public API has.

    Raises:
        DocumentError: two arguments of an operation would have the same name, or its body has no
            fields that could be arguments.
    """
    return [
        _signature(document, method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in _METHODS and not operation.get("x-beyond-reference")
    ]


def _signature(document: Document, method: str, path: str, operation: Document) -> Signature:
    request_body = operation.get("requestBody", {})
    content = request_body.get("content", {})
    kind = next(iter(content), None)
    body = content[kind]["schema"] if kind else {}
    arguments: dict[str, Argument] = {}
    fields = _fields(document, body)
    if kind and not fields:
        raise DocumentError(f"{operation['operationId']} has a body without named fields")
    found = [*_parameters(document, operation), *fields]
    # What every write takes comes after what this one is about.
    for argument in sorted(found, key=lambda argument: argument.place == "header"):
        if argument.name in arguments:
            raise DocumentError(
                f"{operation['operationId']} has two arguments named {argument.name!r}"
            )
        arguments[argument.name] = argument
    takes_file = kind == "multipart/form-data"
    if takes_file:
        del arguments[_FILE]
    return Signature(
        operation_id=operation["operationId"],
        method=method.upper(),
        path=path,
        title=operation["summary"],
        description=f"{operation['summary']}. {operation['description']}".strip(),
        tag=operation["tags"][0],
        arguments={
            name: replace(argument, schema=_local(argument.schema))
            for name, argument in arguments.items()
        },
        definitions=_definitions(document, [a.schema for a in arguments.values()]),
        takes_body=bool(content)
        and request_body.get("required", True)
        and not takes_file
        and not _nullable(body),
        takes_file=takes_file,
    )


def _parameters(document: Document, operation: Document) -> Iterator[Argument]:
    for given in operation.get("parameters", []):
        parameter = given
        if "$ref" in given:
            parameter = document["components"]["parameters"][given["$ref"].rpartition("/")[2]]
        name, place = parameter["name"], parameter["in"]
        argument = _of_header(name) if place == "header" else name
        schema = _DRY_RUN if argument == "dry_run" else dict(parameter["schema"])
        if "description" in parameter:
            schema = {"description": parameter["description"], **schema}
        yield Argument(
            name=argument,
            place=place,
            wire_name=name,
            schema=schema,
            required=parameter.get("required", False),
        )


def _of_header(name: str) -> str:
    return name.removeprefix(_HEADER_PREFIX).replace("-", "_").lower()


def _fields(document: Document, body: Document) -> list[Argument]:
    """Give the fields of a body; of several possible bodies, all, required where all require it."""
    options = [
        _resolved(document, option)
        for option in body.get("anyOf", [body])
        if option != {"type": "null"}
    ]
    properties: dict[str, Any] = {}
    for option in options:
        properties |= option.get("properties", {})
    return [
        Argument(
            name=name,
            place="body",
            wire_name=name,
            schema=schema,
            required=all(name in option.get("required", []) for option in options),
        )
        for name, schema in properties.items()
    ]


def _nullable(body: Document) -> bool:
    return {"type": "null"} in body.get("anyOf", [])


def _resolved(document: Document, schema: Document) -> Document:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].removeprefix(_COMPONENT)]
    return schema


def _definitions(document: Document, schemas: list[Any]) -> dict[str, Any]:
    """Give every component that ``schemas`` refer to, directly or not."""
    found: dict[str, Any] = {}
    waiting = [name for schema in schemas for name in _references(schema)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            component = document["components"]["schemas"][name]
            found[name] = _local(component)
            waiting += _references(component)
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_COMPONENT)
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _local(value: Any) -> Any:
    """Copy a schema with its references turned to the definitions beside it."""
    if isinstance(value, Mapping):
        return {
            key: inner.replace(_COMPONENT, "#/$defs/")
            if key == "$ref" and isinstance(inner, str)
            else _local(inner)
            for key, inner in value.items()
        }
    return [_local(inner) for inner in value] if isinstance(value, list) else value
