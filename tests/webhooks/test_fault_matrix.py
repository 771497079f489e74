"""What receivers do wrong, over real sockets: each fault has its class in the log and its wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.lib.outbound_rig import FakeNames, certificate, receiver
from tests.lib.test_outbound_faults import (
    bad_chunking,
    close_at_once,
    close_early,
    endless_headers,
    hang_before_headers,
    hang_within_body,
    reset_in_the_middle,
    trickle,
)
from tests.webhooks.rig import Rig
from tokportal_server.lib.outbound import Outbound, OutboundPort
from tokportal_server.webhooks import sending
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.schedule import DELAYS

FIRST = DELAYS[0]
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Fault:
    """What a receiver does, and what the log says of it."""

    name: str
    script: Callable[[bytes, asyncio.StreamWriter], object]
    error_class: str | None
    status: int | None = None
    wait: timedelta | None = FIRST
    disables: bool = False


def head(status: str, *headers: str, body: bytes = b"") -> Callable[..., object]:
    """Answer with a status, and close."""

    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return script


async def endless_body(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


FAULTS = [
    Fault("hangs before the answer", hang_before_headers, "timeout"),
    Fault("hangs within the body", hang_within_body, "timeout", 200),
    Fault("one byte at a time", trickle, "timeout", 200),
    Fault("closes at once", close_at_once, "refused"),
    Fault("closes early", close_early, "refused", 200),
    Fault("resets in the middle", reset_in_the_middle, "refused", 200),
    Fault("bad chunking", bad_chunking, "refused"),
    Fault("endless headers", endless_headers, "refused"),
    # What was read of it is enough: the status says that the receiver took the event.
    Fault("endless body", endless_body, None, 200, None),
    Fault("301", head("301 Moved", "Location: /there"), "status", 301),
    Fault("307", head("307 Temporary Redirect", "Location: /there"), "status", 307),
    Fault("400", head("400 Bad Request"), "status", 400),
    Fault("404", head("404 Not Found"), "status", 404),
    Fault("410", head("410 Gone"), "status", 410, None, disables=True),
    Fault("429", head("429 Too Many Requests"), "status", 429),
    Fault("429 later", head("429 Slow", "Retry-After: 3600"), "status", 429, HOUR),
    Fault("500", head("500 Oops", body=b"\xff\x00broken"), "status", 500),
    Fault("503 later", head("503 Away", "Retry-After: 3600"), "status", 503, HOUR),
]


@asynccontextmanager
async def impatient(rig: Rig, outbound: OutboundPort | None = None) -> AsyncIterator[Rig]:
    """Give the rig with a deliverer of its own and, where given, another way out."""
    ports = rig.ports if outbound is None else replace(rig.ports, outbound=outbound)
    yield Rig(ports, rig.world, rig.dispatcher, Deliverer(ports))


@pytest.mark.hazard(17)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_each_fault_has_its_class_and_its_wait(
    rig: Rig, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit of 15 s is proven elsewhere; here it would only be waited for.
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.5)
    listening: AbstractAsyncContextManager[int] = receiver(fault.script)  # type: ignore[arg-type]
    async with listening as port:
        endpoint = await rig.endpoint(f"http://127.0.0.1:{port}/hook")
        await rig.emit()
        await rig.deliver()
    await told(rig, fault)
    health = await rig.health(endpoint.id)
    assert health["enabled"] is not fault.disables
    assert health["consecutive_failures"] == (0 if fault.error_class is None else 1)


async def told(rig: Rig, fault: Fault) -> None:
    """Hold the log against what it should say."""
    first, *more = await rig.deliveries()
    assert first["status"] == ("succeeded" if fault.error_class is None else "failed")
    assert (first["error_class"], first["response_status"]) == (fault.error_class, fault.status)
    assert first["duration_ms"] < 10_000
    assert len((first["response_body"] or "").encode()) <= 2048
    if fault.wait is None:
        assert (more, first["next_attempt_at"]) == ([], None)
        return
    [following] = more
    assert (following["status"], following["attempt"]) == ("pending", 2)
    waited = following["due_at"] - first["finished_at"]
    longest = fault.wait if fault.wait == HOUR else fault.wait * 1.2
    assert fault.wait * 0.8 <= waited <= longest


async def test_a_closed_port_is_refused(rig: Rig) -> None:
    await rig.endpoint(f"http://127.0.0.1:{free_port()}/hook")
    await rig.emit()
    await rig.deliver()
    await told(rig, Fault("closed", close_at_once, "refused"))


async def test_a_name_without_an_address_is_dns(rig: Rig) -> None:
    policy = rig.ports.outbound_policy
    async with (
        Outbound(policy, resolver=FakeNames({})) as outbound,
        impatient(rig, outbound) as cut_off,
    ):
        await cut_off.endpoint("https://nowhere.example.com/hook")
        await cut_off.emit()
        await cut_off.deliver()
        await told(cut_off, Fault("no name", close_at_once, "dns"))


async def test_a_name_that_leads_inside_is_blocked(rig: Rig) -> None:
    names = FakeNames({"inside.example.com": [["10.0.0.1"]]})
    async with (
        Outbound(rig.ports.outbound_policy, resolver=names) as outbound,
        impatient(rig, outbound) as guarded,
    ):
        await guarded.endpoint("https://inside.example.com/hook")
        await guarded.emit()
        await guarded.deliver()
        await told(guarded, Fault("inside", close_at_once, "blocked"))


async def test_a_certificate_that_nobody_vouches_for_is_tls(rig: Rig, tmp_path: Path) -> None:
    server, _ = certificate("localhost", tmp_path)
    async with receiver(hang_before_headers, tls=server) as port:
        await rig.endpoint(f"https://localhost:{port}/hook")
        await rig.emit()
        await rig.deliver()
    await told(rig, Fault("untrusted", close_at_once, "tls"))
