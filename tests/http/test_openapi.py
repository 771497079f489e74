"""The OpenAPI document and the reference's operations, compared in both directions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract import openapi
from tokportal_server.entry.operations import all_operations
from tokportal_server.lib.resources import contract_file

REFERENCE: list[dict[str, Any]] = json.loads(contract_file("operations.json").read_bytes())
LISTED = {entry["operation_id"]: entry for entry in REFERENCE}
# Contract section 1: what an operation may answer beside its documented statuses.
EXTRA = {400, 402, 403, 404, 408, 409, 413, 415, 422, 428, 429, 500, 503}
# The 409s, 402s and 403s of that list, by what may stand behind them.
EXTRA_CODES = {
    402: {"INSUFFICIENT_CREDITS", "OWNING_FEE_REQUIRED"},
    403: {"AUTH_INSUFFICIENT_SCOPE"},
    409: {
        "IDEMPOTENCY_IN_PROGRESS",
        "CREDENTIAL_REVEAL_QUOTE_CHANGED",
        "COMMENT_INVALID_STATUS",
    },
    422: {"IDEMPOTENCY_KEY_REUSED"},
    428: {"CREDENTIAL_REVEAL_CONFIRMATION_REQUIRED"},
}


# What this server adds to the reference.
OURS = {
    "listAccountBans",
    "getBundleVideoProof",
    "getRehearsalClock",
    "advanceRehearsalClock",
    "setWebhookFault",
    "getRehearsalScripts",
    "setRehearsalScripts",
    "setRehearsalBundleScript",
    "listEvents",
}


def declared() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Give every operation of the document by its id: path, method, what it says."""
    return {
        entry["operationId"]: (path, method.upper(), entry)
        for path, item in openapi()["paths"].items()
        for method, entry in item.items()
        if method != "servers"
    }


DECLARED = declared()


def test_every_operation_of_the_reference_is_there_and_others_are_marked_as_ours() -> None:
    assert len(LISTED) == 78
    assert LISTED.keys() <= DECLARED.keys()
    ours = DECLARED.keys() - LISTED.keys()
    assert ours == OURS
    for name in ours:
        assert DECLARED[name][2]["x-beyond-reference"] is True
    assert [name for name in DECLARED if name in LISTED] != []


def test_method_path_group_and_access_are_the_references() -> None:
    for name, entry in LISTED.items():
        path, method, said = DECLARED[name]
        assert (path, method, said["tags"]) == (entry["path"], entry["method"], [entry["group"]])
        assert bool(said["security"]) == entry["auth"]
        assert said["summary"]


def test_groups_stand_in_the_references_order() -> None:
    groups = list(dict.fromkeys(entry["group"] for entry in REFERENCE))
    tags = [tag["name"] for tag in openapi()["tags"]]
    assert [tag for tag in tags if tag in groups] == groups


@pytest.mark.parametrize("name", sorted(LISTED))
def test_parameters_are_the_references(name: str) -> None:
    said = {
        (p["name"], p["in"], p["required"])
        for p in DECLARED[name][2]["parameters"]
        if "$ref" not in p
    }
    listed = {(p["name"], p["in"], p["required"]) for p in LISTED[name]["params"]}
    assert said == listed


@pytest.mark.parametrize("name", sorted(LISTED))
def test_every_documented_status_is_declared_and_no_stranger(name: str) -> None:
    documented = set(map(str, LISTED[name]["statuses"]))
    responses = DECLARED[name][2]["responses"]
    assert documented <= responses.keys()
    for status in responses.keys() - documented:
        assert int(status) in EXTRA
        codes = set(responses[status]["x-error-codes"])
        assert codes <= EXTRA_CODES.get(int(status), codes)


@pytest.mark.parametrize("name", sorted(LISTED))
def test_bodies_have_the_references_schemas(name: str) -> None:
    body: Any = DECLARED[name][2].get("requestBody")
    listed: Any = LISTED[name]["body"]
    if listed is None:
        assert body is None
        return
    (content_type,) = body["content"]
    assert content_type == listed["content_type"]
    if listed["schema"] is not None:
        schema = body["content"][content_type]["schema"]
        assert schema == {"$ref": f"#/components/schemas/{listed['schema']}"}
    assert body["required"] == listed.get("required", True)


def test_idempotency_policies_are_the_references() -> None:
    for op in all_operations():
        if op.operation_id in LISTED and op.mutating:
            assert op.idempotency == LISTED[op.operation_id]["idempotency"], op.operation_id


def test_one_code_has_one_status_in_the_whole_document() -> None:
    statuses: dict[str, set[str]] = {}
    for _, _, said in DECLARED.values():
        for status, response in said["responses"].items():
            for code in response.get("x-error-codes", []):
                statuses.setdefault(code, set()).add(status)
    assert {code for code, found in statuses.items() if len(found) > 1} == set()


def test_every_answer_declares_the_headers_that_it_carries() -> None:
    for name, (_, _, said) in DECLARED.items():
        for status, response in said["responses"].items():
            headers = set(response["headers"])
            assert {"X-TokPortal-API-Version", "X-TokPortal-Request-ID"} <= headers, name
            assert ("X-RateLimit-Limit" in headers) == (
                bool(said["security"]) and status not in {"401", "503"}
            ), (name, status)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    text = json.dumps(openapi())
    for pointer in {part.split('"')[0] for part in text.split('"$ref": "#')[1:]}:
        found: Any = openapi()
        for step in pointer.strip("/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        assert found


def test_every_schema_of_the_document_is_one() -> None:
    for schema in openapi()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for _, _, said in DECLARED.values():
        for response in said["responses"].values():
            for content in response.get("content", {}).values():
                Draft202012Validator.check_schema(content.get("schema", {}))


def test_the_document_is_valid_openapi() -> None:
    found = OpenAPIV31SpecValidator(dict(openapi())).iter_errors()
    assert [f"{error.json_path}: {error.message}" for error in found] == []
