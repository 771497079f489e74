"""What receivers do wrong, over real loopback sockets: each gives its class and ends in time."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.lib.outbound_rig import (
    OK_ANSWER,
    PUBLIC,
    FakeNames,
    Script,
    Sockets,
    answer_ok,
    certificate,
    receiver,
    trickling,
)
from tokportal_server.lib.outbound import Outbound, OutboundFailure, OutboundPolicy

LIMIT = 0.4  # seconds for a whole call; the real limit is 15
NET = 10  # seconds until a test counts as hanging: a safety net, no measurement
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound(OutboundPolicy(allow_loopback=True)) as client:
        yield client


async def read_all(
    outbound: Outbound,
    url: str,
    *,
    max_bytes: int = 10_000,
    limit: float = NET * 2,
    into: list[bytes] | None = None,
) -> None:
    received = [] if into is None else into
    async with outbound.download(url, max_bytes=max_bytes, total_timeout=limit) as file:
        async for chunk in file.chunks():
            received.append(chunk)


async def hang_before_headers(_head: bytes, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def hang_within_headers(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD + b"X-Half: ")
    await asyncio.Event().wait()


async def hang_within_body(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD + b"Content-Length: 100\r\n\r\nhalf")
    await asyncio.Event().wait()


trickle = trickling(0.02)


async def informational_forever(_head: bytes, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


async def endless_headers(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD)
    while True:
        writer.write(b"X-More: " + b"y" * 1000 + b"\r\n")
        await writer.drain()


async def one_endless_header(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD + b"X-Long: ")
    while True:
        writer.write(b"y" * 10_000)
        await writer.drain()


async def close_at_once(_head: bytes, _writer: asyncio.StreamWriter) -> None:
    """Return, which closes the connection."""


async def close_early(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD + b"Content-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def reset_in_the_middle(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD + b"Content-Length: 100\r\n\r\nhalf")
    await writer.drain()
    # Lingering for no time at all turns the close into a reset.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def bad_chunking(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nZZ\r\nnope")
    await writer.drain()


async def not_http(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n")
    await writer.drain()


async def two_lengths(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_HEAD + b"Content-Length: 1\r\nContent-Length: 5\r\n\r\nhello")
    await writer.drain()


@pytest.mark.parametrize(
    ("script", "error_class"),
    [
        (hang_before_headers, "timeout"),
        (hang_within_headers, "timeout"),
        (hang_within_body, "timeout"),
        (trickle, "timeout"),
        (informational_forever, "timeout"),
        (endless_headers, "refused"),
        (one_endless_header, "refused"),
        (close_at_once, "refused"),
        (close_early, "refused"),
        (reset_in_the_middle, "refused"),
        (bad_chunking, "refused"),
        (not_http, "refused"),
        (two_lengths, "refused"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_gives_each_fault_its_class(
    outbound: Outbound, script: Script, error_class: str
) -> None:
    # Where no timeout is expected, a long limit shows that the fault itself ended the call.
    limit = LIMIT if error_class == "timeout" else NET * 2
    async with receiver(script) as port, asyncio.timeout(NET):
        with pytest.raises(OutboundFailure) as caught:
            await outbound.post(f"http://127.0.0.1:{port}/", b"{}", {}, total_timeout=limit)
    assert caught.value.error_class == error_class
    if error_class == "timeout":
        assert caught.value.duration_ms >= LIMIT * 900


@pytest.mark.parametrize("script", [hang_within_body, close_early, reset_in_the_middle])
async def test_a_broken_answer_keeps_the_status_that_had_arrived(
    outbound: Outbound, script: Script
) -> None:
    async with receiver(script) as port:
        with pytest.raises(OutboundFailure) as caught:
            await outbound.post(f"http://127.0.0.1:{port}/", b"{}", {}, total_timeout=LIMIT)
    assert caught.value.status == 200
    assert b"half".startswith(caught.value.body)


@pytest.mark.parametrize("status", [200, 204, 299, 300, 301, 304, 308, 400, 410, 429, 500, 599])
async def test_gives_every_status_as_it_is_and_follows_no_redirect(
    outbound: Outbound, status: int
) -> None:
    heads: list[bytes] = []

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(f"HTTP/1.1 {status} X\r\nLocation: /again\r\nRetry-After: 7\r\n".encode())
        writer.write(b"Content-Length: 0\r\n\r\n")
        await writer.drain()

    async with receiver(answer) as port:
        given = await outbound.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert given.status == status
    assert given.headers["retry-after"] == "7"
    assert given.error_class == (None if status < 300 else "status")
    assert len(heads) == 1


@pytest.mark.hazard(15)
async def test_sends_the_bytes_given_and_asks_for_no_compression(outbound: Outbound) -> None:
    received: list[tuple[bytes, bytes]] = []
    body = json.dumps({"text": "\u2028 </script> \U0001f600"}, ensure_ascii=False).encode()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        received.append((head, await reader.readexactly(len(body))))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        url = f"http://localhost:{server.sockets[0].getsockname()[1]}/"
        headers = {"X-Event": "evt_1", "Accept-Encoding": "gzip"}
        for _ in range(2):
            await outbound.post(url, body, headers)
    for head, sent in received:
        assert sent == body
        assert b"\r\nX-Event: evt_1\r\n" in head
        assert b"\r\nAccept-Encoding: identity\r\n" in head
        assert b"gzip" not in head
        # The cookie of the first answer must not come back: receivers share nothing.
        assert b"cookie" not in head.lower()
    assert len(received) == 2


@pytest.mark.hazard(17)
async def test_an_endless_body_ends_at_the_bytes_kept_in_flat_memory(outbound: Outbound) -> None:
    async def endless(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK_HEAD + b"\r\n")
        block = b"z" * 65_536
        while True:
            writer.write(block)
            await writer.drain()

    async with receiver(endless) as port, asyncio.timeout(NET):
        tracemalloc.start()
        try:
            answer = await outbound.post(f"http://127.0.0.1:{port}/", b"{}", {})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (answer.status, answer.body) == (200, b"z" * 2048)
    assert peak < 4 * 1024 * 1024


@pytest.mark.hazard(17)
async def test_a_gzip_bomb_is_not_expanded(outbound: Outbound) -> None:
    bomb = gzip.compress(b"\0" * 100_000_000, compresslevel=9)

    async def explode(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK_HEAD + b"Content-Encoding: gzip\r\n")
        writer.write(f"Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb)
        await writer.drain()

    async with receiver(explode) as port, asyncio.timeout(NET):
        tracemalloc.start()
        try:
            answer = await outbound.post(f"http://127.0.0.1:{port}/", b"{}", {})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert answer.body == bomb[:2048]
    assert peak < 4 * 1024 * 1024


async def test_a_closed_port_is_refused(outbound: Outbound) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets the port
        with pytest.raises(OutboundFailure) as caught:
            await outbound.post(f"http://127.0.0.1:{held.getsockname()[1]}/", b"", {})
    assert caught.value.error_class == "refused"


async def test_an_untrusted_certificate_is_a_tls_failure(tmp_path: Path) -> None:
    server_tls, _ = certificate("localhost", tmp_path)
    async with (
        receiver(answer_ok, tls=server_tls) as port,
        Outbound(OutboundPolicy(allow_loopback=True)) as outbound,
    ):
        with pytest.raises(OutboundFailure) as caught:
            await outbound.post(f"https://localhost:{port}/", b"", {})
    assert caught.value.error_class == "tls"


async def test_a_certificate_for_another_name_is_a_tls_failure(tmp_path: Path) -> None:
    server_tls, client_tls = certificate("other.example.com", tmp_path)
    names = FakeNames({"hooks.example.com": [[PUBLIC]]})
    async with receiver(answer_ok, tls=server_tls) as port:
        sockets = Sockets({443: port})
        async with Outbound(
            OutboundPolicy(), resolver=names, tls=client_tls, open_socket=sockets
        ) as outbound:
            with pytest.raises(OutboundFailure) as caught:
                await outbound.post("https://hooks.example.com/", b"", {})
    assert caught.value.error_class == "tls"
    assert sockets.dialled


async def test_plain_http_on_a_tls_port_is_a_tls_failure(outbound: Outbound) -> None:
    async def talk_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK_ANSWER)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk_plainly, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OutboundFailure) as caught:
            await outbound.post(f"https://127.0.0.1:{port}/", b"", {})
    assert caught.value.error_class == "tls"


async def test_a_silent_handshake_ends_at_the_connect_timeout(outbound: Outbound) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # accepts, and never says a word
        async with asyncio.timeout(NET):
            with pytest.raises(OutboundFailure) as caught:
                await outbound.post(
                    f"https://127.0.0.1:{listening.getsockname()[1]}/",
                    b"",
                    {},
                    connect_timeout=0.2,
                    total_timeout=NET * 2,
                )
    assert caught.value.error_class == "timeout"


class SilentNames(AbstractResolver):
    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise AssertionError((host, port, family))

    async def close(self) -> None:
        """Hold nothing, so close nothing."""


async def test_a_silent_name_server_ends_at_the_connect_timeout() -> None:
    async with (
        asyncio.timeout(NET),
        Outbound(OutboundPolicy(), resolver=SilentNames()) as outbound,
    ):
        with pytest.raises(OutboundFailure) as caught:
            await outbound.post("https://hooks.example.com/", b"", {}, connect_timeout=0.2)
    assert caught.value.error_class == "timeout"


@pytest.mark.parametrize("rounds", [[], [[]]])
async def test_a_name_without_an_address_is_a_dns_failure(rounds: list[list[str]]) -> None:
    names = FakeNames({"hooks.example.com": rounds})
    async with Outbound(OutboundPolicy(), resolver=names) as outbound:
        with pytest.raises(OutboundFailure) as caught:
            await outbound.post("https://hooks.example.com/", b"", {})
    assert caught.value.error_class == "dns"


@pytest.mark.parametrize("announced", [True, False])
async def test_a_download_stops_at_the_size_allowed(outbound: Outbound, *, announced: bool) -> None:
    async def endless(_head: bytes, writer: asyncio.StreamWriter) -> None:
        length = b"Content-Length: 1000000000000\r\n" if announced else b""
        writer.write(OK_HEAD + length + b"\r\n")
        while True:
            writer.write(b"z" * 65_536)
            await writer.drain()

    received: list[bytes] = []
    async with receiver(endless) as port, asyncio.timeout(NET):
        with pytest.raises(OutboundFailure) as caught:
            await read_all(outbound, f"http://127.0.0.1:{port}/", max_bytes=300_000, into=received)
    assert caught.value.error_class == "too_large"
    assert sum(map(len, received)) <= (0 if announced else 300_000)


@pytest.mark.parametrize(
    ("script", "error_class"),
    [(trickle, "timeout"), (close_early, "refused"), (bad_chunking, "refused")],
)
async def test_a_download_that_breaks_off_is_never_taken_for_whole(
    outbound: Outbound, script: Script, error_class: str
) -> None:
    async with receiver(script) as port, asyncio.timeout(NET):
        with pytest.raises(OutboundFailure) as caught:
            await read_all(outbound, f"http://127.0.0.1:{port}/", limit=LIMIT)
    assert caught.value.error_class == error_class


@pytest.mark.parametrize("status", [204, 206, 304, 404, 500])
async def test_a_download_of_anything_but_200_is_a_status_failure(
    outbound: Outbound, status: int
) -> None:
    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with receiver(answer) as port:
        with pytest.raises(OutboundFailure) as caught:
            await read_all(outbound, f"http://127.0.0.1:{port}/")
    assert (caught.value.error_class, caught.value.status) == ("status", status)


async def test_hanging_receivers_delay_no_healthy_one(outbound: Outbound) -> None:
    arrived = asyncio.Semaphore(0)

    async def hang(_head: bytes, _writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await asyncio.Event().wait()

    async with receiver(hang) as hanging, receiver(answer_ok) as healthy, asyncio.timeout(NET):
        stuck = [
            asyncio.create_task(
                outbound.post(f"http://127.0.0.1:{hanging}/", b"", {}, total_timeout=NET * 2)
            )
            for _ in range(120)
        ]
        for _ in range(100):  # as many connections as aiohttp allows at once by default
            await arrived.acquire()
        answer = await outbound.post(f"http://127.0.0.1:{healthy}/", b"", {})
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
    assert answer.status == 200
