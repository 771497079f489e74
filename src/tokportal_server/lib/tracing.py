"""Traces, for operators who ask for them by OpenTelemetry's own ``OTEL_*`` variables.

Without ``OTEL_EXPORTER_OTLP_ENDPOINT`` nothing of OpenTelemetry is loaded, and every function here
is one look at an attribute. A trace goes on where work is put off: whoever writes a row that others
act on keeps :func:`carried` with it, and they give it to :func:`span` as ``parent``.

A span says what was done, how long it took and how it ended: names, ids, statuses. It never holds
parameters of statements, bodies, paths, addresses of people or messages of errors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self

import structlog

if TYPE_CHECKING:
    from tokportal_server.lib.trace_export import OtlpRecorder

log = structlog.get_logger(__name__)

Value = str | int | bool
Kind = Literal["server", "client", "producer", "consumer", "internal"]
HEADER: Final = "traceparent"
_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Span:
    """A piece of work while it is done; this one, of a process without traces, forgets it all."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it; an exception makes it a failure, told by its class alone."""

    def rename(self, name: str) -> None:
        """Say what it is, once that is known."""

    def note(self, key: str, value: Value) -> None:
        """Keep a fact with it."""

    def fail(self, kind: str) -> None:
        """Call it a failure, of a kind that is a name and no sentence."""


NO_SPAN: Final = Span()


class _Process:
    """What this process has, while it is traced."""

    recorder: OtlpRecorder | None = None


_PROCESS: Final = _Process()


@contextmanager
def traced(part: str, version: str) -> Iterator[None]:
    """Trace this process, if the environment asks for it.

    ``part`` is which of the server's it is, ``version`` that of the release.

    A server without the packages says so in its log and runs on: an order is worth more than its
    trace.
    """
    if _PROCESS.recorder is not None or not wanted(os.environ):
        yield
        return
    try:
        from tokportal_server.lib.trace_export import OtlpRecorder  # noqa: PLC0415 - an extra
    except ImportError as error:
        log.warning("traces_not_sent", error=str(error), install="tokportal-server[otel]")
        yield
        return
    recorder = _PROCESS.recorder = OtlpRecorder(part, version)
    try:
        yield
    finally:
        _PROCESS.recorder = None
        recorder.close()


def wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment names a receiver of traces, and does not switch them off."""
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    none = environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none"
    return not off and not none and any(environ.get(name) for name in _ENDPOINTS)


def is_on() -> bool:
    """Tell whether this process is traced; to leave out work that only a trace needs."""
    return _PROCESS.recorder is not None


def span(
    name: str,
    kind: Kind = "internal",
    *,
    parent: str | None = None,
    linked: str | None = None,
    attributes: Mapping[str, Value] = _NOTHING,
) -> Span:
    """Begin a span, to be used as a context manager; what is begun within belongs to it.

    ``parent`` is what was kept of the span that it continues; without it a server's span begins a
    trace and any other belongs to the current one. ``linked`` is a span of a stranger that is only
    pointed at. Both are values of the W3C's ``traceparent``; one that is malformed is none.
    """
    if (recorder := _PROCESS.recorder) is None:
        return NO_SPAN
    return recorder.span(name, kind, parent=parent, linked=linked, attributes=attributes)


def mark(
    name: str, *, parent: str | None, began: int, attributes: Mapping[str, Value] = _NOTHING
) -> str | None:
    """Record a span that ends now and began at ``began`` (nanoseconds of the epoch).

    Gives what continues it.
    """
    if (recorder := _PROCESS.recorder) is None:
        return parent
    return recorder.mark(name, parent=parent, began=began, attributes=attributes)


def note_statement(text: str, seconds: float, failure: BaseException | None) -> None:
    """Record a statement that ended just now, below the current span if there is one."""
    if (recorder := _PROCESS.recorder) is not None:
        recorder.statement(text, seconds, failure)


def carried() -> str | None:
    """Give what continues the current span elsewhere, as a ``traceparent``; None if there is none.

    It says also that a trace is not to be sent, so that no part of it is.
    """
    recorder = _PROCESS.recorder
    return None if recorder is None else recorder.carried()


def ids() -> Mapping[str, str]:
    """Give ``trace_id`` and ``span_id`` of the current span, for the log; nothing without one."""
    recorder = _PROCESS.recorder
    return {} if recorder is None else recorder.ids()
