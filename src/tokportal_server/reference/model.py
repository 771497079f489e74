"""The reference as data: what pages, Markdown twins, search and Postman are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokportal_server.http.openapi import declared_errors, document
from tokportal_server.http.registry import Operation
from tokportal_server.lib.errors import ApiError
from tokportal_server.reference.examples import (
    Example,
    ExampleError,
    Examples,
    placeholders_in,
    variable,
)
from tokportal_server.reference.fields import Field, Schemas
from tokportal_server.reference.samples import samples_of
from tokportal_server.reference.samples.request import API_KEY, BASE_URL, REHEARSAL_URL

_SETTINGS = {
    BASE_URL: "Where the API is, such as `http://127.0.0.1:8000/api/ext`.",
    REHEARSAL_URL: "Where rehearsals are, such as `http://127.0.0.1:8000/api/rehearsal`.",
    API_KEY: "Your API key, `sk_…`.",
}
_ONLY_IN_A_DRY_RUN = "Only in a dry run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A way in which an operation refuses; ``remedy`` says who can put it right, and how."""

    status: int
    code: str
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEntry:
    """Everything that the reference says of one operation.

    ``variables`` are the environment variables that the samples read, with their meanings.
    """

    operation: Operation
    path_fields: list[Field]
    query_fields: list[Field]
    request_headers: list[Field]
    body_fields: list[Field]
    body_type: str | None
    answer_fields: list[Field]
    answer_headers: list[Field]
    sample_answer: str | None
    refusals: list[Refusal]
    example: Example | None
    samples: dict[str, str]
    variables: dict[str, str]

    @property
    def id(self) -> str:
        """The operation id, which is also its page's name."""
        return self.operation.operation_id

    @property
    def full_path(self) -> str:
        """The path from the server's root."""
        return self.operation.base_path + self.operation.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """All operations in the reference's order; ``groups`` has them by tag."""

    entries: dict[str, OperationEntry]
    groups: dict[str, list[OperationEntry]]
    examples: Examples

    @property
    def refusals(self) -> dict[str, Refusal]:
        """Every refusal, by code, in the order of the codes."""
        found = {r.code: r for entry in self.entries.values() for r in entry.refusals}
        return dict(sorted(found.items()))

    def refused_with(self, code: str) -> list[OperationEntry]:
        """Give the operations that can refuse with a code."""
        return [
            entry for entry in self.entries.values() if any(r.code == code for r in entry.refusals)
        ]


def build_reference(operations: Sequence[Operation], examples: Examples) -> Reference:
    """Describe ``operations``, in their order.

    Raises:
        ExampleError: an operation has no example, or an example no operation.
    """
    named = {op.operation_id for op in operations}
    if problems := sorted(named ^ set(examples.operations)):
        raise ExampleError(
            "contract/examples.json must have one example for each operation, and no other;"
            f" these differ: {', '.join(problems)}."
        )
    page = _Describer(document(operations), examples)
    entries = {op.operation_id: page.entry(op) for op in operations}
    groups: dict[str, list[OperationEntry]] = {}
    for entry in entries.values():
        groups.setdefault(entry.operation.tag, []).append(entry)
    return Reference(entries=entries, groups=groups, examples=examples)


class _Describer:
    """Reads one OpenAPI document."""

    def __init__(self, openapi: Mapping[str, Any], examples: Examples) -> None:
        self._paths = openapi["paths"]
        self._components = openapi["components"]
        self._schemas = Schemas(self._components["schemas"])
        self._examples = examples

    def entry(self, operation: Operation) -> OperationEntry:
        entry = self._paths[operation.path][operation.method.lower()]
        example = self._examples.operations.get(operation.operation_id)
        body_type, body = self._body(entry)
        success = entry["responses"].get(str(operation.status), {})
        answer = success.get("content", {}).get("application/json", {}).get("schema", {})
        return OperationEntry(
            operation=operation,
            path_fields=self._parameters(entry, "path"),
            query_fields=self._parameters(entry, "query"),
            request_headers=self._parameters(entry, "header"),
            body_fields=body,
            body_type=body_type,
            answer_fields=list(self._schemas.fields(answer)),
            answer_headers=self._answer_headers(success),
            sample_answer=self._sample_answer(operation, answer) if answer else None,
            refusals=_refusals(declared_errors(operation)),
            example=example,
            samples=samples_of(operation, example) if example else {},
            variables=self._variables(operation, example) if example else {},
        )

    def _parameters(self, entry: Mapping[str, Any], place: str) -> list[Field]:
        parameters = [
            self._components["parameters"][p["$ref"].rpartition("/")[2]] if "$ref" in p else p
            for p in entry["parameters"]
        ]
        return [
            self._schemas.field(
                p["name"],
                {"description": p["description"], **p["schema"]}
                if "description" in p
                else p["schema"],
                required=p["required"],
            )
            for p in parameters
            if p["in"] == place
        ]

    def _body(self, entry: Mapping[str, Any]) -> tuple[str | None, list[Field]]:
        for content_type, content in entry.get("requestBody", {}).get("content", {}).items():
            return content_type, list(self._schemas.fields(content["schema"]))
        return None, []

    def _answer_headers(self, success: Mapping[str, Any]) -> list[Field]:
        headers = {name: self._components["headers"][name] for name in success.get("headers", ())}
        return [
            self._schemas.field(
                name, {**header["schema"], "description": header["description"]}, required=True
            )
            for name, header in headers.items()
        ]

    def _sample_answer(self, operation: Operation, answer: Mapping[str, Any]) -> str:
        shown = {
            name: self._schemas.sample(schema)
            for name, schema in answer["properties"].items()
            if name in answer["required"]
            or (
                operation.moves_credits
                and not schema.get("description", "").startswith(_ONLY_IN_A_DRY_RUN)
            )
        }
        return json.dumps(shown, indent=2, ensure_ascii=False)

    def _variables(self, operation: Operation, example: Example) -> dict[str, str]:
        base = REHEARSAL_URL if operation.has_own_base else BASE_URL
        names = [base, API_KEY]
        unknown = set(placeholders_in(example)) - set(self._examples.placeholders)
        if unknown:
            raise ExampleError(
                f"contract/examples.json: {operation.operation_id} uses {', '.join(unknown)},"
                " which its placeholders do not explain."
            )
        return {name: _SETTINGS[name] for name in names} | {
            variable(name): self._examples.placeholders[name] for name in placeholders_in(example)
        }


def _refusals(errors: Sequence[type[ApiError]]) -> list[Refusal]:
    found = {
        error.code: Refusal(
            status=error.status,
            code=error.code,
            meaning=(error.__doc__ or "").strip().splitlines()[0],
            remedy=error.remedy,
        )
        for error in errors
    }
    return sorted(found.values(), key=lambda refusal: (refusal.status, refusal.code))
