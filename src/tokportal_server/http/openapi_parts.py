"""The parts of the OpenAPI document that are the same for all operations."""

from __future__ import annotations

from typing import Any


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": schema or {"type": "string"}}


COMMON_HEADERS: dict[str, Any] = {
    "X-TokPortal-API-Version": _header("The version of the contract.", type="string"),
    "X-TokPortal-API-Stability": _header("How stable the contract is.", type="string"),
    "X-TokPortal-Request-ID": _header(
        "Your `X-Request-ID` if it was valid, else one made here; quote it when asking for help.",
        type="string",
    ),
}
RATE_HEADERS: dict[str, Any] = {
    "X-RateLimit-Limit": _header("Tokens that this key's bucket holds.", type="integer"),
    "X-RateLimit-Remaining": _header("Tokens left after this request.", type="integer"),
    "X-RateLimit-Reset": _header("Unix second at which the bucket is full.", type="integer"),
    "Retry-After": _header("Whole seconds to wait before trying again.", type="integer", minimum=1),
}
# Headers that the successes of some operations carry (``Operation.answer_headers``).
ANSWER_HEADERS: dict[str, Any] = {
    "X-TokPortal-Analytics-Contract": _header(
        "The version of the analytics contract that the content follows.", type="string"
    ),
}
REQUEST_HEADERS: dict[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Send the same key again to get the same answer instead of a second effect.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[ -~]+$",
        },
    },
    "DryRun": {
        "name": "X-TokPortal-Dry-Run",
        "in": "header",
        "required": False,
        "description": "`true` or `1`: run every check and price the call, but change nothing.",
        "schema": {"type": "string", "enum": ["true", "1", "false", "0"]},
    },
}
# Headers that some operations read besides.
MORE_HEADERS: dict[str, Any] = {
    "StaleDates": {
        "name": "X-TokPortal-Stale-Dates",
        "in": "header",
        "required": False,
        "description": "What to do with a slot whose date has come too close: `move` it to the"
        " earliest free day (the default), or `reject` the call with 409 `STALE_DATES`.",
        "schema": {"type": "string", "enum": ["move", "reject"]},
    },
}
CREDIT_SIBLINGS: dict[str, Any] = {
    "credits_charged": {"type": "integer", "minimum": 0},
    "credits_would_charge": {
        "type": "integer",
        "minimum": 0,
        "description": "Only in a dry run: what the live call would charge.",
    },
    "credits_remaining": {"type": "integer", "minimum": 0},
    "cost_breakdown": {"type": "object", "additionalProperties": {"type": "integer"}},
    "dry_run": {"type": "boolean", "const": True, "description": "Only in a dry run."},
    "dry_run_notice": {"type": "string", "description": "Only in a dry run."},
}
PAGINATION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "page": {"type": "integer", "minimum": 1},
        "per_page": {"type": "integer", "minimum": 1, "maximum": 100},
        "total": {"type": "integer", "minimum": 0},
        "total_pages": {"type": "integer", "minimum": 0},
    },
    "required": ["page", "per_page", "total", "total_pages"],
    "additionalProperties": False,
}
ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "Stable; decide by it."},
                "message": {"type": "string", "description": "What was wrong and what to do."},
                "details": {"type": "object"},
                "request_id": {"type": "string"},
            },
            "required": ["code", "message", "request_id"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}
