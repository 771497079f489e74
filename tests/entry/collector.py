"""What listens to a traced server: a collector of spans, and a receiver of webhooks."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.lib.waiting import SAFETY_NET


@dataclass(frozen=True)
class Seen:
    """A span as it arrived; ids are hexadecimal, ``parent`` is "" for a root."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    failed: bool
    attributes: dict[str, Any]
    links: tuple[str, ...]
    part: str

    @property
    def traceparent(self) -> str:
        """What continues it, without the flags at its end."""
        return f"00-{self.trace}-{self.id}"


@dataclass
class Collector:
    """An OTLP receiver (HTTP, protobuf) and a webhook endpoint, on one port."""

    port: int = 0
    spans: list[Seen] = field(default_factory=list)
    hooks: list[dict[str, str]] = field(default_factory=list)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def traces(self, request: web.Request) -> web.Response:
        """Take a batch of spans."""
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        async with self._came:
            self.spans += _spans(ExportTraceServiceRequest.FromString(body))
            self._came.notify_all()
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )

    async def hook(self, request: web.Request) -> web.Response:
        """Take a delivery; only its headers are kept."""
        async with self._came:
            self.hooks.append({name.lower(): value for name, value in request.headers.items()})
            self._came.notify_all()
        return web.Response(status=204)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something to be true of what came."""
        async with self._came, asyncio.timeout(SAFETY_NET):
            await self._came.wait_for(true)

    def one(self, name: str) -> Seen:
        """Give the one span of a name."""
        [span] = [span for span in self.spans if span.name == name]
        return span

    def has(self, *names: str) -> bool:
        """Tell whether spans of all these names have come."""
        return set(names) <= {span.name for span in self.spans}

    def below(self, span: Seen) -> list[Seen]:
        """Give the children of a span."""
        return [other for other in self.spans if other.parent == span.id]


def _spans(message: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in message.resource_spans:
        told = {fact.key: fact.value.string_value for fact in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    failed=span.status.code == 2,
                    attributes={fact.key: _value(fact.value) for fact in span.attributes},
                    links=tuple(link.trace_id.hex() for link in span.links),
                    part=told["server.part"],
                )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Listen on a free port of 127.0.0.1 while the block runs."""
    collector = Collector()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_post("/v1/traces", collector.traces)
    application.router.add_post("/hook", collector.hook)
    runner = web.AppRunner(application, access_log=None, auto_decompress=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.port = runner.addresses[0][1]
        yield collector
    finally:
        await runner.cleanup()
