"""The ASGI wrapper around everything: request ids, headers on every answer, CORS, HEAD, metrics.

Litestar's middleware is not called for unknown routes and wrong methods, so what every answer must
carry (contract section 1) is added out here, where no answer can miss it.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from tokportal_server.http.client_address import is_from_one_of
from tokportal_server.http.request_log import LoggedRequest, RequestLog
from tokportal_server.lib import tracing
from tokportal_server.lib.log import RequestLine, log_request, request_context
from tokportal_server.lib.redaction import redact_text

API_VERSION = "2026-05-25"
# What probes and collectors ask for every few seconds.
_WATCHED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Longer than any of ours; what is logged is searched for secrets, at a price per letter.
_LONGEST_LOGGED: Final = 500
_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_ALLOWED_HEADERS = (
    "X-API-Key, Content-Type, Idempotency-Key, X-Request-ID, X-TokPortal-Client,"
    " X-TokPortal-Dry-Run, X-TokPortal-Stale-Dates"
)
_EXPOSED_HEADERS = (
    "X-TokPortal-API-Version, X-TokPortal-API-Stability, X-TokPortal-Request-ID,"
    " X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After,"
    " Idempotent-Replayed, X-TokPortal-Dry-Run, X-TokPortal-Analytics-Contract, Allow"
)


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Write headers as ASGI wants them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_PREFLIGHT = encoded(
    {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Max-Age": "86400",
    }
)
_EVERYWHERE = encoded(
    {
        "X-TokPortal-API-Version": API_VERSION,
        "X-TokPortal-API-Stability": "stable",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
        "X-Content-Type-Options": "nosniff",
    }
)

REQUESTS = Counter(
    "tokportal_http_requests_total", "Answers given.", ["operation", "method", "status"]
)
SECONDS = Histogram(
    "tokportal_http_request_seconds", "Time from request to the answer's head.", ["operation"]
)


# Each label lookup takes a lock and checks its values; the combinations are few.
_counter = lru_cache(maxsize=4096)(REQUESTS.labels)
_timer = lru_cache(maxsize=512)(SECONDS.labels)


def request_id_of(headers: list[tuple[bytes, bytes]]) -> str:
    """Echo a client's request id if it is printable ASCII without spaces, else make one."""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return f"req_{secrets.token_hex(16)}"


class Wire:
    """Wraps the application; ``requests`` is the log that its workspaces read.

    A trace that one of the ``trusted`` proxies has begun goes on here. Anybody else's is linked to:
    whoever may call us must not decide what is sampled.
    """

    def __init__(
        self, app: ASGIApp, requests: RequestLog | None = None, *, trusted: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._requests = requests
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (other kinds of scope pass through)."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        span = self._span(scope) if tracing.is_on() else tracing.NO_SPAN
        with request_context(exchange.request_id), span:
            if scope["method"] == "OPTIONS":
                await exchange.preflight()
            else:
                await self._app(scope, receive, exchange.send)
            logged = exchange.finish()
            if span is not tracing.NO_SPAN:
                exchange.describe(span)
            if logged is not None and self._requests is not None:
                self._requests.note(logged)

    def _span(self, scope: Any) -> tracing.Span:
        """Begin the span of a request; of those that machines make all the time there is none."""
        if scope["path"] in _WATCHED:
            return tracing.NO_SPAN
        given = _traceparent(scope["headers"])
        trusted = is_from_one_of(scope, self._trusted)
        return tracing.span(
            _known(scope["method"]),
            "server",
            parent=given if trusted else None,
            linked=None if trusted else given,
            attributes={"http.request.method": _known(scope["method"])},
        )


class _Exchange:
    """One request and its answer on the way out."""

    def __init__(self, scope: Any, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._head_only = scope["method"] == "HEAD"
        self._status = 0
        self._answered: float | None = None
        self._replayed = False
        self.request_id = request_id_of(scope["headers"])
        # Filled on the way in by whoever knows more: rate limits, the operation's name.
        self._scope["tokportal_request_id"] = self.request_id
        self._scope["tokportal_headers"] = {}
        self._scope["tokportal_operation"] = "unrouted"

    async def preflight(self) -> None:
        """Answer a CORS preflight: any origin, no credentials."""
        await self.send({"type": "http.response.start", "status": 204, "headers": []})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(self, message: Message) -> None:
        """Pass a message on, with what every answer carries; HEAD gets no body."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            # Now, and not when the last piece of it has gone: a stream lasts as long as its reader.
            self._answered = time.perf_counter()
            names = {name for name, _ in message["headers"]}
            self._replayed = b"idempotent-replayed" in names
            headers = [*message["headers"], *self._headers()]
            if b"cache-control" not in names:
                # A cache that does not know X-API-Key would give one customer's answer to another.
                headers.append((b"cache-control", b"no-store"))
            message["headers"] = headers
        elif message["type"] == "http.response.body" and self._head_only:
            message["body"] = b""
        await self._send(message)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = [*_EVERYWHERE, (b"x-tokportal-request-id", self.request_id.encode())]
        if self._scope["method"] == "OPTIONS":
            headers += _PREFLIGHT
        # A 401 says nothing about a bucket: nobody's was asked.
        if self._status != 401:
            headers += encoded(self._scope["tokportal_headers"])
        return headers

    def finish(self) -> LoggedRequest | None:
        """Count and log the answer; give its line for the workspace whose key was used."""
        operation = self._scope["tokportal_operation"]
        seconds = time.perf_counter() - self._began
        method = self._scope["method"]
        request_id = redact_text(self.request_id)
        _counter(operation, _known(method), self._status).inc()
        _timer(operation).observe((self._answered or time.perf_counter()) - self._began)
        log_request(
            RequestLine(
                request_id=request_id,
                operation=operation,
                method=redact_text(method[:_LONGEST_LOGGED]),
                path=redact_text(_loggable(self._scope["path"])),
                status=self._status,
                ms=round(seconds * 1000, 1),
                trace_id=tracing.ids().get("trace_id", msgspec.UNSET),
            )
        )
        return LoggedRequest.of(
            self._scope,
            request_id=request_id,
            status=self._status,
            seconds=seconds,
            replayed=self._replayed,
        )

    def describe(self, span: tracing.Span) -> None:
        """Name the request's span by its operation, and say how it ended; no path, no query."""
        span.rename(self._scope["tokportal_operation"])
        span.note("tokportal.request_id", redact_text(self.request_id))
        span.note("http.response.status_code", self._status)
        refusal = self._scope.get("tokportal_refusal")
        if refusal is not None:
            span.note("tokportal.error_code", refusal.code)
        if self._status >= 500:
            span.fail(str(self._status))


def _known(method: str) -> str:
    """Give a method that HTTP knows, or ``other``: a client can make up as many as it likes."""
    return method if method in _METHODS else "other"


def _traceparent(headers: list[tuple[bytes, bytes]]) -> str | None:
    return next(
        (value.decode("latin-1") for name, value in headers if name == b"traceparent"), None
    )


def _loggable(path: str) -> str:
    """Give a path without what opens a file: its address is itself the right to read or send it."""
    hidden = (f"{start}…" for start in ("/media/", "/uploads/") if path.startswith(start))
    return next(hidden, path[:_LONGEST_LOGGED])
