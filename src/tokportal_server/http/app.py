"""The application: operations, what stands beside them, and what every answer carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litestar import Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler

from tokportal_server.http.asgi import Wire
from tokportal_server.http.dispatch import Dispatch
from tokportal_server.http.failures import render_failure
from tokportal_server.http.pipeline import FormLimits, Pipeline
from tokportal_server.http.registry import Operation
from tokportal_server.http.request_log import RequestLog
from tokportal_server.lib.ports import Ports


def build_app(
    operations: Iterable[Operation],
    ports: Ports,
    *,
    base_url: str,
    form_limits: Mapping[str, FormLimits],
    more_routes: Sequence[HTTPRouteHandler] = (),
    requests: RequestLog | None = None,
) -> Wire:
    """Make the ASGI application.

    ``base_url`` is the public address without a path; ``form_limits`` is by operation id;
    ``more_routes`` are those that are no operations (health, media, pages). ``requests`` is the log
    that workspaces read.
    """
    others = Litestar(
        route_handlers=list(more_routes),
        exception_handlers={Exception: _answer_exception},
        openapi_config=None,
        # The wire layer enforces its own limits, with its own errors.
        request_max_body_size=None,
        logging_config=None,
    )
    pipelines = (
        Pipeline(operation, ports, base_url, form_limits.get(operation.operation_id))
        for operation in operations
    )
    trusted = ports.settings.trusted_proxies
    return Wire(Dispatch(pipelines, others), requests, trusted=trusted)


def _answer_exception(request: Request[Any, Any, Any], exception: Exception) -> Response[bytes]:
    rendered = render_failure(request.scope, exception)
    return Response(
        rendered.body,
        status_code=rendered.status,
        media_type=rendered.content_type,
        headers=dict(rendered.headers),
    )
