"""Exceptions become error answers (contract section 1)."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from tokportal_server.http.answers import Rendered
from tokportal_server.http.errors import (
    FeatureNotOfferedError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
)
from tokportal_server.http.not_offered import not_offered
from tokportal_server.http.registry import BASE_PATH
from tokportal_server.lib.db import UNAVAILABLE, unavailable
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.storage import cannot_store

log = structlog.get_logger(__name__)

# What a disk without room for an upload says.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def render_failure(scope: Any, exception: Exception) -> Rendered:
    """Write the answer that tells the caller what ``exception`` means for them."""
    error = _as_api_error(scope, exception)
    # For the request log, which tells the workspace why it was refused.
    scope["tokportal_refusal"] = error
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = ", ".join(error.details["allow"])
    return Rendered(
        error.status,
        msgspec.json.encode(error.body(scope["tokportal_request_id"])),
        headers=headers,
    )


def method_not_allowed(scope: Any, allowed: Sequence[str]) -> ApiError:
    """Refuse a method that a path does not have, or name the newer feature that it asks for."""
    method, path = scope["method"], scope["path"]
    return _not_offered(method, path) or MethodNotAllowedError(
        f"{method} is not a method of {path[:200]}; it has {', '.join(allowed)}.",
        details={"allow": list(allowed)},
    )


def _as_api_error(scope: Any, exception: Exception) -> ApiError:
    path = scope["path"]
    match exception:
        case ApiError():
            return exception
        case NotFoundException():
            return _not_offered(scope["method"], path) or NotFoundError(
                f"Nothing is at {path[:200]}. The API is under {BASE_PATH}; its operations are"
                f" listed in {BASE_PATH}/openapi.json."
            )
        case MethodNotAllowedException():
            # The router writes the header's name in small letters.
            names = (exception.headers or {}).get("allow", "").split(",")
            return method_not_allowed(scope, [name.strip() for name in names if name.strip()])
        case HTTPException():
            return NotFoundError(f"{path} cannot be answered: {exception.detail}")
    if isinstance(exception, UNAVAILABLE):
        log.warning("database_unavailable", error=str(exception))
        return unavailable("the database does not answer")
    if isinstance(exception, OSError) and exception.errno in _FULL:
        return cannot_store(exception)
    log.error("unhandled_exception", exc_info=exception)
    return InternalError(
        "Something went wrong on our side; nothing was changed. Tell the operator the request id."
    )


def _not_offered(method: str, path: str) -> FeatureNotOfferedError | None:
    operation = not_offered(method, path.removeprefix(BASE_PATH))
    if operation is None:
        return None
    return FeatureNotOfferedError(
        f"{operation} is not offered by this server: it is not part of the reference.",
        details={"operation_id": operation},
    )
