"""Operations become routes, and exceptions become error bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from tokportal_server.http.answers import JSON, Rendered
from tokportal_server.http.asgi import Wire
from tokportal_server.http.errors import (
    FeatureNotOfferedError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
)
from tokportal_server.http.not_offered import not_offered
from tokportal_server.http.pipeline import FormLimits, Pipeline
from tokportal_server.http.registry import BASE_PATH, Operation
from tokportal_server.lib.db import UNAVAILABLE, unavailable
from tokportal_server.lib.errors import ApiError
from tokportal_server.lib.ports import Ports

log = structlog.get_logger(__name__)


def build_app(
    operations: Iterable[Operation],
    ports: Ports,
    *,
    base_url: str,
    form_limits: Mapping[str, FormLimits],
    more_routes: Sequence[HTTPRouteHandler] = (),
    lifespan: Sequence[Any] = (),
) -> Wire:
    """Make the ASGI application.

    ``base_url`` is the public address without a path; ``form_limits`` is by operation id;
    ``more_routes`` are those outside the API (health, media).
    """
    handlers = [
        _route(Pipeline(op, ports, base_url, form_limits.get(op.operation_id))) for op in operations
    ]
    app = Litestar(
        route_handlers=[*handlers, *more_routes],
        exception_handlers={Exception: _answer_exception},
        openapi_config=None,
        lifespan=list(lifespan),
        # The wire layer enforces its own limits, with its own errors.
        request_max_body_size=None,
        logging_config=None,
    )
    return Wire(app)


def _route(pipeline: Pipeline) -> HTTPRouteHandler:
    operation = pipeline.operation
    methods = [HttpMethod(operation.method)]
    if not operation.mutating:
        methods.append(HttpMethod.HEAD)

    @route(
        operation.base_path + litestar_path(operation.path),
        http_method=methods,
        name=operation.operation_id,
        # The response has its own status; this one only must be one that allows a body.
        status_code=200,
    )
    async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
        request.scope["tokportal_operation"] = operation.operation_id  # type: ignore[typeddict-unknown-key]
        return respond(await pipeline.run(request))

    return handle


def litestar_path(path: str) -> str:
    """Write ``/bundles/{id}`` as the router wants it: every parameter a text."""
    return path.replace("}", ":str}")


def respond(rendered: Rendered) -> ASGIResponse:
    """Put rendered bytes into a response as they are: nothing is left for the framework to do."""
    return ASGIResponse(
        body=rendered.body,
        status_code=rendered.status,
        media_type=None if rendered.status == 204 else rendered.content_type,
        headers=dict(rendered.headers),
    )


def _answer_exception(request: Request[Any, Any, Any], exception: Exception) -> Response[bytes]:
    scope: Any = request.scope
    request_id: str = scope["tokportal_request_id"]
    error, headers = _as_api_error(request, exception)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return Response(
        msgspec.json.encode(error.body(request_id)),
        status_code=error.status,
        media_type=JSON,
        headers=headers,
    )


def _as_api_error(
    request: Request[Any, Any, Any], exception: Exception
) -> tuple[ApiError, dict[str, str]]:
    if isinstance(exception, ApiError):
        return exception, {}
    if isinstance(exception, NotFoundException | MethodNotAllowedException):
        return _unrouted(request, exception)
    if isinstance(exception, UNAVAILABLE):
        log.warning("database_unavailable", error=str(exception))
        return unavailable("the database does not answer"), {}
    if isinstance(exception, ClientException | HTTPException):
        return NotFoundError(f"{request.url.path} cannot be answered: {exception.detail}"), {}
    log.error("unhandled_exception", exc_info=exception)
    return InternalError(
        "Something went wrong on our side; nothing was changed. Tell the operator the request id."
    ), {}


def _unrouted(
    request: Request[Any, Any, Any], exception: NotFoundException | MethodNotAllowedException
) -> tuple[ApiError, dict[str, str]]:
    """Refuse what has no route: a feature of newer clients, a wrong method, or nothing at all."""
    path = request.url.path
    if operation := not_offered(request.method, path.removeprefix(BASE_PATH)):
        return FeatureNotOfferedError(
            f"{operation} is not offered by this server: it is not part of the reference.",
            details={"operation_id": operation},
        ), {}
    if isinstance(exception, NotFoundException):
        return NotFoundError(
            f"Nothing is at {path[:200]}. The API is under {BASE_PATH}; its operations are listed"
            f" in {BASE_PATH}/openapi.json.",
        ), {}
    # The router writes the header's name in small letters.
    allow = (exception.headers or {}).get("allow", "")
    return MethodNotAllowedError(
        f"{request.method} is not a method of {path[:200]}; it has {allow}.",
        details={"allow": [method.strip() for method in allow.split(",") if method.strip()]},
    ), {"Allow": allow}
