"""The checks that Schemathesis does not bring; it imports this module in its own process."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from multidict import CIMultiDict
from schemathesis import Case, CheckContext, HookContext, Response

from tests.contract import check_answer
from tests.fuzz.rules import is_business
from tokportal_server.http.registry import BASE_PATH

REHEARSAL = "/api/rehearsal"


@schemathesis.hook
def before_call(_: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Send broken idempotency keys in live calls only: a dry run ignores keys (section 3)."""
    broken = case.meta is not None and case.meta.generation.mode.is_negative
    if broken and "Idempotency-Key" in case.headers:
        case.headers["X-TokPortal-Dry-Run"] = "false"


@schemathesis.check
def keeps_the_contract(_: CheckContext, response: Response, case: Case) -> None:
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
def takes_what_the_document_allows(_: CheckContext, response: Response, case: Case) -> None:
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
