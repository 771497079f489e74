"""Links of the OpenAPI document: an answer that gives an object leads to the calls about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokportal_server.http.registry import Operation

_ITEM = "/{id}"


def links_from(operation: Operation, operations: Iterable[Operation]) -> dict[str, Any]:
    """Give the links of an operation's success, by the id of the operation that each leads to.

    Only what makes or reads one object has them: ``POST /bundles`` and ``GET /bundles/{id}`` lead
    to everything under ``/bundles/{id}``.
    """
    item = _item_of(operation)
    if item is None:
        return {}
    return {
        other.operation_id: {
            "operationId": other.operation_id,
            "parameters": {"id": "$response.body#/data/id"},
        }
        for other in operations
        if other is not operation and (other.path == item or other.path.startswith(item + "/"))
    }


def _item_of(operation: Operation) -> str | None:
    """Give the path of the one object that an operation answers with."""
    if operation.method == "POST" and operation.status == 201:
        return operation.path + _ITEM
    if operation.method == "GET" and operation.path.endswith(_ITEM):
        return operation.path
    return None
