"""Spans by OpenTelemetry's SDK, sent by OTLP over HTTP from a thread of its own.

Loaded only by processes that are traced. The SDK reads the standard variables: where to send, how
many to sample, how to name the service. A collector that is away costs spans and nothing else.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import Token
from functools import lru_cache
from types import ModuleType, TracebackType
from typing import Any, Final, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tokportal_server.lib.tracing import HEADER, Kind, Span, Value

_PACKAGE: Final = __name__.partition(".")[0]
_KINDS: Final = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
# How long a process that ends waits for its last spans.
_LAST_SECONDS: Final = 3.0
_TRACEPARENTS: Final = TraceContextTextMapPropagator()
_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE)\s+(?:ONLY\s+)?([a-z_]\w*)", re.IGNORECASE)


class OtlpRecorder:
    """The spans of one process."""

    def __init__(self, part: str, version: str) -> None:
        self._provider = TracerProvider(resource=_resource(part, version), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_PACKAGE, version)

    def span(
        self,
        name: str,
        kind: Kind,
        *,
        parent: str | None,
        linked: str | None,
        attributes: Mapping[str, Value],
    ) -> Span:
        """Begin a span."""
        context = _context(parent)
        if context is None and kind == "server":
            context = Context()
        stranger = _span_context(linked)
        return _Recorded(
            self._tracer.start_span(
                name,
                context=context,
                kind=_KINDS[kind],
                attributes=attributes,
                links=[Link(stranger)] if stranger else (),
            )
        )

    def mark(
        self, name: str, *, parent: str | None, began: int, attributes: Mapping[str, Value]
    ) -> str | None:
        """Record what is over, and give what continues it."""
        span = self._tracer.start_span(
            name,
            context=_context(parent),
            kind=SpanKind.PRODUCER,
            attributes=attributes,
            start_time=began,
        )
        span.end()
        return _carried(span.get_span_context())

    def statement(self, text: str, seconds: float, failure: BaseException | None) -> None:
        """Record a statement, by name; loops that look for work have no span, nor have theirs."""
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            return
        end = time.time_ns()
        span = self._tracer.start_span(
            statement_name(text),
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql"},
            start_time=end - int(seconds * 1e9),
        )
        if failure is not None:
            span.set_attribute("error.type", getattr(failure, "sqlstate", None) or _name(failure))
            span.set_status(StatusCode.ERROR)
        span.end(end)

    def carried(self) -> str | None:
        """Give what continues the current span."""
        return _carried(trace.get_current_span().get_span_context())

    def ids(self) -> Mapping[str, str]:
        """Give the ids of the current span."""
        here = trace.get_current_span().get_span_context()
        if not here.is_valid:
            return {}
        return {"trace_id": f"{here.trace_id:032x}", "span_id": f"{here.span_id:016x}"}

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        # The exporter would try for longer than a stopping process has.
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(_LAST_SECONDS)


class _Recorded(Span):
    """A span of the SDK, current while it is entered."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context]

    def __enter__(self) -> Self:
        self._token = contexts.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        contexts.detach(self._token)
        if error is not None:
            self.fail(_name(error))
        self._span.end()

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, key: str, value: Value) -> None:
        self._span.set_attribute(key, value)

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR)


def _resource(part: str, version: str) -> Resource:
    ours: dict[str, Any] = {
        "service.version": version,
        "process.pid": os.getpid(),
        "server.part": part,
    }
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    # What is handed to the SDK would win over the operator's own name.
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name=" not in given:
        ours["service.name"] = _PACKAGE.replace("_", "-")
    return Resource.create(ours)


def _context(traceparent: str | None) -> Context | None:
    return _TRACEPARENTS.extract({HEADER: traceparent}, Context()) if traceparent else None


def _span_context(traceparent: str | None) -> SpanContext | None:
    context = _context(traceparent)
    found = trace.get_current_span(context).get_span_context() if context is not None else None
    return found if found is not None and found.is_valid else None


def _carried(here: SpanContext) -> str | None:
    if not here.is_valid:
        return None
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"


def _name(error: BaseException) -> str:
    return type(error).__name__


@lru_cache(maxsize=2048)
def statement_name(text: str) -> str:
    """Give the name of the constant that a statement is, as ``bundles.queries.GET``.

    What is no constant of ours is called by its verb and its first table.
    """
    for module in list(sys.modules.values()):
        for name in _constants(module, text):
            return f"{module.__name__.removeprefix(_PACKAGE + '.')}.{name}"
    words = text.split(maxsplit=1)
    verb = words[0].rstrip(";").upper() if words else "nothing"
    table = _TABLE.search(text)
    return f"{verb} {table.group(1)}" if table else verb


def _constants(module: ModuleType, text: str) -> Iterator[str]:
    """Give the names under which a module of ours defines a text, and not only imports it."""
    if not getattr(module, "__name__", "").startswith(f"{_PACKAGE}."):
        return
    for name, value in list(vars(module).items()):
        if name.isupper() and isinstance(value, str) and value == text:
            source = inspect.getsource(module)
            if re.search(rf"^{name}\b[^=\n]*=", source, re.MULTILINE):
                yield name
