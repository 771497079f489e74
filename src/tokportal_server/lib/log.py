"""Structured logs on standard error: one line an event, JSON or for people, without secrets.

Libraries that use the standard ``logging`` module come out in the same form, through the same
redaction. Standard output stays free for what a command prints.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal, cast

import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from tokportal_server.lib import tracing
from tokportal_server.lib.redaction import redact

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Tracebacks, which are lines by nature.
_OF_LINES = frozenset({"exception", "stack"})

# What `configure` chose last, for the lines that do not pass through structlog.
_form: Literal["json", "console"] = "console"
_level = logging.INFO


def configure(
    level: Literal["debug", "info", "warning", "error"],
    format: Literal["json", "console"],  # noqa: A002 - the name of the setting
) -> None:
    """Send every log of this process to standard error; calling again replaces the choice."""
    global _form, _level
    _form, _level = format, LEVELS[level]
    ahead: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    behind: list[Processor] = [
        # Tracebacks become text first, so that the redaction reads them too.
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_event,
        _renderer(format),
    ]
    structlog.configure(
        processors=[*ahead, *behind],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        # Straight to the stream: the way through the standard library costs more than the rest.
        logger_factory=_Lines,
        # A logger that remembers the first choice would ignore the next one.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*ahead, structlog.stdlib.ExtraAdder()],
            processors=[ProcessorFormatter.remove_processors_meta, *behind],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LEVELS[level])


class _Lines:
    """Writes finished lines of one module to standard error, whatever that is by then."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, line: str) -> None:
        """Write a line in one go, so that those of several processes do not mix."""
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = write


def logger(name: str) -> FilteringBoundLogger:
    """Give the logger of a module; call it with an event in words and facts as keywords."""
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


class request_context:  # noqa: N801 - read as a verb: with request_context(...)
    """Put ``request_id`` on every event logged within, tasks started there included."""

    __slots__ = ("_request_id", "_tokens")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._tokens = structlog.contextvars.bind_contextvars(request_id=self._request_id)

    def __exit__(self, *_: object) -> None:
        structlog.contextvars.reset_contextvars(**self._tokens)


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Say which trace an event belongs to; a structlog processor."""
    if tracing.is_on():
        event.update(tracing.ids())
    return event


def _timestamp() -> str:
    return f"{datetime.now(UTC).isoformat('T', 'microseconds')[:26]}Z"


class RequestLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged of each request; whoever fills it has redacted what came from outside."""

    operation: str
    method: str
    path: str
    status: int
    ms: float
    request_id: str
    trace_id: str | msgspec.UnsetType = msgspec.UNSET
    event: str = "request"
    level: str = "info"
    logger: str = "tokportal_server.http"
    timestamp: str = msgspec.field(default_factory=_timestamp)


def log_request(line: RequestLine) -> None:
    """Log a request. The JSON form goes straight to the stream, as every request pays for it."""
    if _form == "json":
        if _level <= logging.INFO:
            sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
        return
    facts = msgspec.structs.asdict(line)
    words = {name: facts[name] for name in ("operation", "method", "path", "status", "ms")}
    logger(line.logger).info(line.event, **words)


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take the secrets out of an event; a structlog processor."""
    return cast("EventDict", redact(event))


def _as_json(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event).decode()


def _renderer(format: Literal["json", "console"]) -> Processor:  # noqa: A002 - as configure
    if format == "json":
        return structlog.processors.JSONRenderer(serializer=_as_json)
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return lambda logger, method, event: console(logger, method, _visible(event))


def _visible(event: EventDict) -> EventDict:
    """Write control characters out: a terminal would obey those of a path that somebody sent."""
    return {
        name: _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", value)
        if isinstance(value, str) and name not in _OF_LINES
        else value
        for name, value in event.items()
    }
