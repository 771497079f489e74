"""Load over HTTP, and the comparison of two sides in interleaved pairs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import cast

import psutil

from harness.report import Report, Spread

PAIRS = 11
SECONDS = 0.6
_SUCCESS = re.compile(rb"HTTP/1\.1 20[01] ")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one side did in one stretch; the CPU time is that of its one process."""

    per_second: float
    cpu_ms: float


Side = Callable[[], Awaitable[Measured]]


class Asker(asyncio.Protocol):
    """One connection that asks again as soon as it is answered; counts the answers."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self._transport: asyncio.Transport
        self.answers = 0
        self.error: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Ask again once an answer is whole."""
        self._buffer += data
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        if not _is_whole(head.lower(), body):
            return
        if not _SUCCESS.match(head):
            self.error = self._buffer[:300].decode("latin-1")
            self._transport.close()
            return
        self._buffer = b""
        self.answers += 1
        self._transport.write(self._request)

    def close(self) -> None:
        """Ask no more."""
        self._transport.close()


def _is_whole(head: bytes, body: bytes) -> bool:
    if b"\r\ntransfer-encoding: chunked" in head:
        return body.endswith(b"\r\n0\r\n\r\n")
    _, found, rest = head.partition(b"content-length: ")
    return bool(found) and len(body) >= int(rest.partition(b"\r\n")[0])


@asynccontextmanager
async def _asking(port: int, requests: Sequence[bytes]) -> AsyncIterator[list[Asker]]:
    loop = asyncio.get_running_loop()
    askers = []
    for request in requests:
        asker = Asker(request)
        await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port)  # type: ignore[misc]
        askers.append(asker)
    try:
        yield askers
    finally:
        for asker in askers:
            asker.close()


async def load(
    port: int, process: psutil.Process, requests: Sequence[bytes], seconds: float = SECONDS
) -> Measured:
    """Ask on one connection for each request; every answer must be a 200 or a 201."""
    async with _asking(port, requests) as askers:
        loop = asyncio.get_running_loop()
        began, used = loop.time(), cpu_seconds(process)
        await asyncio.sleep(seconds)
        passed, used = loop.time() - began, cpu_seconds(process) - used
        answers = sum(asker.answers for asker in askers)
    errors = [asker.error for asker in askers if asker.error]
    assert not errors, errors[0]
    assert answers, "not one answer came in time: this machine does too much else"
    return Measured(answers / passed, 1000 * used / max(1, answers))


def asking(
    port: int, process: psutil.Process, requests: Sequence[bytes], seconds: float = SECONDS
) -> Side:
    """Give the side of a comparison that ``load`` asks."""
    return lambda: load(port, process, requests, seconds)


def cpu_seconds(process: psutil.Process) -> float:
    """Give the CPU time that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def request(
    path: str, key: str, body: bytes | None = None, *, base: str = "/api/ext", dry: bool = False
) -> bytes:
    """Write a request of the API: a POST if there is a body."""
    head = f" {base}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n"
    head += "X-TokPortal-Dry-Run: true\r\n" if dry else ""
    if body is None:
        return f"GET{head}\r\n".encode()
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"POST{head}{about}".encode() + body


async def compare(
    report: Report,
    name: str,
    ours: Side,
    other: Side,
    *,
    against: str,
    at_least: float | None = None,
    pairs: int = PAIRS,
) -> None:
    """Measure in pairs, each beginning with the other one; report the median of the ratios."""
    ratios, sides = await in_pairs(ours, other, pairs)
    speed = [median(one.per_second for one in side) for side in sides]
    cpu = [median(one.cpu_ms for one in side) for side in sides]
    spent = f"; {cpu[0]:.2f} and {cpu[1]:.2f} ms of CPU each" if all(cpu) else ""
    report.add(
        name,
        speed[0],
        "requests/s",
        ratio=median(ratios),
        versus=against,
        spread=Spread.of(ratios),
        at_least=at_least,
        note=f"{against}: {speed[1]:,.0f} requests/s{spent}",
    )


async def in_pairs(
    ours: Side, other: Side, pairs: int = PAIRS
) -> tuple[list[float], tuple[list[Measured], list[Measured]]]:
    """Give the ratio of each pair, and what either side did; a first pair only warms up."""
    ratios: list[float] = []
    sides: tuple[list[Measured], list[Measured]] = ([], [])
    for number in range(-1, pairs):
        both = {}
        for side in (ours, other) if number % 2 else (other, ours):
            both[side] = await side()
        if number >= 0:
            ratios.append(both[ours].per_second / both[other].per_second)
            sides[0].append(both[ours])
            sides[1].append(both[other])
    return ratios, sides
