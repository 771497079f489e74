"""The OpenAPI 3.1 document, made from the operations: bodies, answers, errors, headers.

The structs are the source; ``contract/openapi.json`` is the result, committed and compared in
``make check``. The server serves the committed file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tokportal_server import __version__
from tokportal_server.http import errors as wire_errors
from tokportal_server.http.answers import JSON
from tokportal_server.http.asgi import API_VERSION
from tokportal_server.http.imagined import IMAGINED_SCHEMA
from tokportal_server.http.openapi_links import links_from
from tokportal_server.http.openapi_parts import (
    ANSWER_HEADERS,
    COMMON_HEADERS,
    CREDIT_SIBLINGS,
    ERROR_SCHEMA,
    MORE_HEADERS,
    PAGINATION_SCHEMA,
    RATE_HEADERS,
    REQUEST_HEADERS,
)
from tokportal_server.http.registry import BASE_PATH, Operation
from tokportal_server.lib.db import ServiceUnavailableError
from tokportal_server.lib.errors import ApiError

REF = "#/components/schemas/{name}"
IMAGINED = {"$ref": REF.format(name="Imagined")}
_PARAMETER = re.compile(r"\{(\w+)\}")


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Make the whole document for ``operations`` in their order."""
    ordered = list(operations)
    schemas, components = _schemas(ordered)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in ordered:
        item = paths[operation.path]
        item[operation.method.lower()] = entry = _operation(operation, schemas)
        if links := links_from(operation, ordered):
            entry["responses"][str(operation.status)]["links"] = links
        if operation.base_path != BASE_PATH:
            item["servers"] = [{"url": operation.base_path}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tokportal-server",
            "version": API_VERSION,
            "summary": "An independent, self-hosted server for the TokPortal public API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "x-server-version": __version__,
        },
        "servers": [{"url": BASE_PATH}],
        "tags": [{"name": tag} for tag in dict.fromkeys(op.tag for op in ordered)],
        "paths": dict(paths),
        "components": {
            "schemas": {
                "Error": ERROR_SCHEMA,
                "Pagination": PAGINATION_SCHEMA,
                "Imagined": IMAGINED_SCHEMA,
                **components,
            },
            "headers": COMMON_HEADERS | RATE_HEADERS | ANSWER_HEADERS,
            "parameters": REQUEST_HEADERS | MORE_HEADERS,
            "securitySchemes": {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
    }


def _schemas(operations: Sequence[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Give the schema of every type that the operations name, and the shared components."""
    types = list(
        dict.fromkeys(
            kind
            for op in operations
            for kind in (op.returns, op.body, op.query, op.form and op.form.fields)
            if kind is not None
        )
    )
    found, components = msgspec.json.schema_components(types, ref_template=REF)
    for schema in components.values():
        _tidy(schema)
    for kind in types:
        # What a rule over the whole object can say in JSON Schema.
        components.get(getattr(kind, "__name__", ""), {}).update(getattr(kind, "more_schema", {}))
    return dict(zip(types, found, strict=True)), components


def _tidy(schema: Any) -> None:
    """Drop titles that only repeat the name, and close every object: no field beyond those named.

    A field called ``title`` is no such title: its value is a schema.
    """
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        if "properties" in schema and isinstance(schema.get("type"), str):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _tidy(value)
    elif isinstance(schema, list):
        for value in schema:
            _tidy(value)


def _operation(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "operationId": operation.operation_id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": _parameters(operation),
        "responses": _responses(operation, schemas),
        "security": [] if operation.public else [{"ApiKey": []}],
    }
    if body := _request_body(operation, schemas):
        entry["requestBody"] = body
    if operation.beyond_reference:
        entry["x-beyond-reference"] = True
    return entry


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1}
            if name == "position"
            else {"type": "string", "format": "uuid"},
        }
        for name in _PARAMETER.findall(operation.path)
    ]
    if operation.query is not None:
        hints = msgspec.json.schema_components([operation.query], ref_template=REF)[1]
        properties = hints[operation.query.__name__]["properties"]
        for name, schema in properties.items():
            _tidy(schema)
            found.append(
                {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
            )
    if operation.mutating:
        names = (*REQUEST_HEADERS, *operation.more_headers)
        found += [{"$ref": f"#/components/parameters/{name}"} for name in names]
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Give a parameter's schema without the null that stands for "not given" in our structs."""
    if "anyOf" not in schema:
        return schema
    given = [option for option in schema["anyOf"] if option != {"type": "null"}]
    return given[0] if len(given) == 1 else {"anyOf": given}


def _request_body(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any] | None:
    if operation.form is not None:
        fields = msgspec.json.schema_components([operation.form.fields], ref_template=REF)[1]
        schema = fields[operation.form.fields.__name__]
        _tidy(schema)
        schema["properties"]["file"] = {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": operation.form.file_description,
        }
        schema["required"] = [*schema.get("required", []), "file"]
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    if operation.body is None:
        return None
    return {
        "required": operation.body_required,
        "content": {"application/json": {"schema": schemas[operation.body]}},
    }


def declared_errors(operation: Operation) -> list[type[ApiError]]:
    """Give every refusal of an operation: its own, and those that its kind of call can meet."""
    found: list[type[ApiError]] = [*operation.errors]
    if not operation.public:
        found += [
            wire_errors.MissingKeyError,
            wire_errors.InvalidKeyError,
            wire_errors.RevokedKeyError,
            wire_errors.ExpiredKeyError,
            wire_errors.RateLimitExceededError,
            wire_errors.InsufficientScopeError,
        ]
    found += [wire_errors.UnknownParameterError, wire_errors.ValidationError]
    if "{" in operation.path:
        found.append(wire_errors.DryRunIdError)
    if operation.mutating:
        found += _errors_of_writes(operation)
    return list(dict.fromkeys([*found, ServiceUnavailableError, wire_errors.InternalError]))


def _errors_of_writes(operation: Operation) -> list[type[ApiError]]:
    found: list[type[ApiError]] = [
        wire_errors.UnsupportedContentTypeError,
        wire_errors.BodyTimeoutError,
        wire_errors.InvalidIdempotencyKeyError,
        wire_errors.IdempotencyInProgressError,
        wire_errors.IdempotencyKeyReusedError,
    ]
    if operation.form:
        found.append(wire_errors.MalformedMultipartError)
    else:
        found += [
            wire_errors.BodyTooLargeError,
            wire_errors.MalformedJsonError,
            wire_errors.UnknownFieldError,
        ]
    return found


def _responses(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    by_status: dict[int, list[type[ApiError]]] = defaultdict(list)
    for error in declared_errors(operation):
        by_status[error.status].append(error)
    responses = {str(operation.status): _success(operation, schemas)}
    for status in sorted(by_status):
        responses[str(status)] = _refusal(status, by_status[status], operation)
    return responses


def _success(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": operation.summary + ".",
        "headers": _headers(operation),
    }
    response["headers"] |= {
        name: {"$ref": f"#/components/headers/{name}"} for name in operation.answer_headers
    }
    if operation.status == 204:
        return response
    if operation.media != JSON:
        response["content"] = {operation.media: {"schema": {"type": "string"}}}
        return response
    data = schemas[operation.returns]
    if operation.takes_imagined_ids:
        data = {"anyOf": [data, IMAGINED]}
    properties = {"data": data}
    required = ["data"]
    if operation.paged:
        properties["pagination"] = {"$ref": "#/components/schemas/Pagination"}
        required.append("pagination")
    if operation.siblings:
        properties |= operation.siblings
    if operation.moves_credits or operation.mutating:
        properties |= CREDIT_SIBLINGS
    response["content"] = {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        }
    }
    return response


def _refusal(status: int, errors: list[type[ApiError]], operation: Operation) -> dict[str, Any]:
    codes = sorted({error.code for error in errors})
    headers = _headers(operation, authenticated=status not in {401, 503})
    if status in (429, 503, 409):
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    return {
        "description": ", ".join(codes),
        "headers": headers,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        "x-error-codes": codes,
    }


def _headers(operation: Operation, *, authenticated: bool = True) -> dict[str, Any]:
    names = list(COMMON_HEADERS)
    if authenticated and not operation.public:
        names += [name for name in RATE_HEADERS if name != "Retry-After"]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
