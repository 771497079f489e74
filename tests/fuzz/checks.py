"""The checks that Schemathesis does not bring; it imports this module in its own process."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from multidict import CIMultiDict
from schemathesis import Case, CheckContext, Response
from schemathesis.specs.openapi.checks import negative_data_rejection

from tests.contract import check_answer
from tests.fuzz.rules import is_business
from tokportal_server.http.errors import InvalidIdempotencyKeyError
from tokportal_server.http.idempotency import parse_key
from tokportal_server.http.registry import BASE_PATH

REHEARSAL = "/api/rehearsal"


@schemathesis.check
def keeps_the_contract(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Hold an answer against the document as every other test does: headers, codes, no bodies."""
    path = urlsplit(str(response.request.url)).path
    base = REHEARSAL if path.startswith(REHEARSAL) else BASE_PATH
    headers = CIMultiDict(
        (name, value) for name, values in response.headers.items() for value in values
    )
    check_answer(
        case.method,
        path.removeprefix(base),
        response.status_code,
        headers,
        response.content,
        base=base,
    )


@schemathesis.check
def takes_what_the_document_allows(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Refuse only by a named rule what was made to fit the document.

    It stands in for ``positive_data_acceptance``, which decides by status instead of by code.
    """
    made = case.meta
    if made is None or not made.generation.mode.is_positive:
        return
    if response.status_code < 400 or response.status_code in {401, 403, 404, 409}:
        return
    error = json.loads(response.content)["error"]
    operation_id = str(case.operation.definition.raw["operationId"])
    assert is_business(operation_id, error), f"{operation_id} refused a valid request: {error}"


@schemathesis.check
def refuses_what_the_document_forbids(
    ctx: CheckContext, response: Response, case: Case[Any]
) -> None:
    """Refuse what was made to break the document, but for keys in dry runs, which ignore them.

    It stands in for ``negative_data_rejection``, which cannot know contract section 3.
    """
    if not _ignores_a_broken_key(case):
        negative_data_rejection(ctx, response, case)


def _ignores_a_broken_key(case: Case[Any]) -> bool:
    if case.headers.get("X-TokPortal-Dry-Run") not in {"true", "1"}:
        return False
    try:
        parse_key(str(case.headers.get("Idempotency-Key", "-")).encode())
    except InvalidIdempotencyKeyError:
        return True
    return False
