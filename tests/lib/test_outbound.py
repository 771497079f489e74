"""What may be called: addresses, URLs, names and redirects, asserted at the socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.lib.hostile_urls import HOSTILE, PUBLIC_ADDRESSES, SPELLINGS
from tests.lib.outbound_rig import (
    OK_ANSWER,
    PUBLIC,
    FakeNames,
    Sockets,
    answer_ok,
    certificate,
    receiver,
)
from tokportal_server.lib.outbound import (
    BlockedUrl,
    NullOutbound,
    Outbound,
    OutboundFailure,
    OutboundPolicy,
    UnexpectedCall,
    check_url,
)
from tokportal_server.lib.outbound.connector import guarded_connector
from tokportal_server.lib.outbound.failure import BlockedAddress


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


async def failure_of(outbound: Outbound, url: str) -> OutboundFailure:
    with pytest.raises(OutboundFailure) as caught:
        await outbound.post(url, b"{}", {})
    return caught.value


@pytest.mark.hazard(20)
@pytest.mark.parametrize("address", HOSTILE)
async def test_opens_no_socket_to_a_hostile_address_in_a_url(address: str) -> None:
    sockets, names = Sockets(), FakeNames({})
    async with Outbound(OutboundPolicy(), resolver=names, open_socket=sockets) as outbound:
        failure = await failure_of(outbound, f"https://{bracketed(address)}/hook")
    assert failure.error_class == "blocked"
    assert sockets.dialled == []


@pytest.mark.hazard(20)
@pytest.mark.parametrize("address", HOSTILE)
async def test_opens_no_socket_to_a_hostile_address_behind_a_name(address: str) -> None:
    sockets, names = Sockets(), FakeNames({"hooks.example.com": [[address]]})
    async with Outbound(OutboundPolicy(), resolver=names, open_socket=sockets) as outbound:
        failure = await failure_of(outbound, "https://hooks.example.com/")
    assert failure.error_class == "blocked"
    assert names.asked == ["hooks.example.com"]
    assert sockets.dialled == []


@pytest.mark.hazard(20)
@pytest.mark.parametrize("address", HOSTILE)
async def test_refuses_at_the_socket_what_no_resolver_is_asked_about(address: str) -> None:
    """The connector alone, as if both the URL and the resolver had been fooled."""
    sockets, names = Sockets(), FakeNames({})
    connector = guarded_connector(OutboundPolicy(), names, tls=None, open_socket=sockets)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get(f"http://{bracketed(address)}/")
    assert isinstance(caught.value.__cause__, BlockedAddress)
    assert names.asked == []
    assert sockets.dialled == []


@pytest.mark.hazard(20)
@pytest.mark.parametrize("url", SPELLINGS)
async def test_refuses_a_hostile_spelling_before_any_look_up(url: str) -> None:
    with pytest.raises(BlockedUrl):
        check_url(url, OutboundPolicy())
    sockets, names = Sockets(), FakeNames({})
    async with Outbound(OutboundPolicy(), resolver=names, open_socket=sockets) as outbound:
        failure = await failure_of(outbound, url)
    assert failure.error_class == "blocked"
    assert names.asked == []
    assert sockets.dialled == []


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
async def test_dials_the_public_neighbours_of_refused_blocks(address: str) -> None:
    sockets, names = Sockets(), FakeNames({"hooks.example.com": [[address]]})
    async with Outbound(OutboundPolicy(), resolver=names, open_socket=sockets) as outbound:
        await failure_of(outbound, "https://hooks.example.com/")
    assert sockets.dialled == [address]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?b=c#d",
        "HTTPS://Hooks.Example.COM:443/",
        "https://hooks.example.com./",
        "https://b\u00fccher.example/\u00fc",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://under_score.example.com/",
        "https://0x7f.example.com/",
        "https://hooks.example.com:80/",
        "http://plain.example.com/",
    ],
)
def test_accepts_an_ordinary_public_url(url: str) -> None:
    check_url(url, OutboundPolicy(allow_http_hosts=frozenset({"plain.example.com"})))


def test_lets_loopback_through_by_its_flag_and_nothing_else_that_is_private() -> None:
    policy = OutboundPolicy(allow_loopback=True)
    for url in ("http://127.0.0.1:8123/", "http://localhost:1/", "http://[::1]:9/"):
        check_url(url, policy)
        with pytest.raises(BlockedUrl):
            check_url(url, OutboundPolicy())
    loopback = {"127.0.0.1", "127.1.2.3", "127.255.255.254", "::1"}
    for address in set(HOSTILE) - loopback:
        with pytest.raises(BlockedUrl, match="not public"):
            check_url(f"https://{bracketed(address)}/", policy)


async def test_refuses_a_public_name_on_loopback_even_where_loopback_is_allowed() -> None:
    sockets, names = Sockets(), FakeNames({"hooks.example.com": [["127.0.0.1"]]})
    policy = OutboundPolicy(allow_loopback=True)
    async with Outbound(policy, resolver=names, open_socket=sockets) as outbound:
        failure = await failure_of(outbound, "https://hooks.example.com/")
    assert failure.error_class == "blocked"
    assert sockets.dialled == []


@pytest.mark.hazard(21)
async def test_never_dials_the_private_answer_of_a_rebinding_name_server() -> None:
    names = FakeNames({"plain.example.com": [[PUBLIC], ["127.0.0.1"]]})
    policy = OutboundPolicy(allow_http_hosts=frozenset({"plain.example.com"}))
    async with receiver(answer_ok) as port:
        sockets = Sockets({80: port})
        async with Outbound(policy, resolver=names, open_socket=sockets) as outbound:
            answer = await outbound.post("http://plain.example.com/", b"", {})
            # One look-up a call: what was judged is what was dialled.
            assert names.asked == ["plain.example.com"]
            failure = await failure_of(outbound, "http://plain.example.com/")
    assert (answer.status, answer.body) == (200, b"ok")
    assert failure.error_class == "blocked"
    assert sockets.dialled == [PUBLIC]


@pytest.mark.hazard(21)
@pytest.mark.parametrize(
    "addresses",
    [
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, "8.8.8.8", "169.254.169.254"],
        ["2606:4700::1111", "::ffff:10.0.0.1"],
        [PUBLIC, "fd00:ec2::254"],
        [PUBLIC, "not-an-address"],
    ],
)
async def test_refuses_a_host_with_one_bad_address_among_good_ones(addresses: list[str]) -> None:
    sockets, names = Sockets(), FakeNames({"hooks.example.com": [addresses]})
    async with Outbound(OutboundPolicy(), resolver=names, open_socket=sockets) as outbound:
        failure = await failure_of(outbound, "https://hooks.example.com/")
    assert failure.error_class == "blocked"
    assert sockets.dialled == []


@pytest.mark.hazard(22)
async def test_ignores_the_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    proxied: list[bytes] = []

    async def proxy(head: bytes, writer: asyncio.StreamWriter) -> None:
        proxied.append(head)
        writer.write(OK_ANSWER)
        await writer.drain()

    async with receiver(proxy) as proxy_port, receiver(answer_ok) as port:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            for variable in (name, name.lower()):
                monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy_port}")
        async with Outbound(OutboundPolicy(allow_loopback=True)) as outbound:
            answer = await outbound.post(f"http://127.0.0.1:{port}/", b"", {})
    assert answer.status == 200
    assert proxied == []


@pytest.mark.hazard(20)
async def test_refuses_a_redirect_to_a_hostile_address_at_the_hop() -> None:
    targets = [f"http://{bracketed(address)}/" for address in HOSTILE]
    targets += [f"//{bracketed(address)}/" for address in HOSTILE]
    # Left out: relative text, which stays on the host that sent it, and what a header can't carry.
    targets += [url for url in SPELLINGS if "//" in url and url.isascii() and url.isprintable()]
    targets.remove(" https://example.com/")
    targets += ["\\\\169.254.169.254/", "http:\\\\169.254.169.254/"]
    left = list(targets)

    async def redirect(_head: bytes, writer: asyncio.StreamWriter) -> None:
        target = left.pop(0)
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n".encode())
        await writer.drain()

    names = FakeNames({"plain.example.com": [[PUBLIC]]})
    policy = OutboundPolicy(allow_http_hosts=frozenset({"plain.example.com"}))
    async with receiver(redirect) as port:
        sockets = Sockets({80: port})
        async with Outbound(policy, resolver=names, open_socket=sockets) as outbound:
            for target in targets:
                with pytest.raises(OutboundFailure) as caught:
                    async with outbound.download(
                        "http://plain.example.com/file", max_bytes=10, total_timeout=20
                    ):
                        pass
                assert caught.value.error_class == "blocked", target
    assert left == []
    assert sockets.dialled == [PUBLIC] * len(targets)


@pytest.mark.hazard(23)
async def test_refuses_a_redirect_from_https_to_http(tmp_path: Path) -> None:
    async def redirect(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 301 Moved\r\nLocation: http://plain.example.com/\r\n\r\n")
        await writer.drain()

    server_tls, client_tls = certificate("media.example.com", tmp_path)
    names = FakeNames({"media.example.com": [[PUBLIC]], "plain.example.com": [["8.8.8.8"]]})
    policy = OutboundPolicy(allow_http_hosts=frozenset({"plain.example.com"}))
    async with receiver(redirect, tls=server_tls) as port:
        sockets = Sockets({443: port})
        async with Outbound(
            policy, resolver=names, tls=client_tls, open_socket=sockets
        ) as outbound:
            with pytest.raises(OutboundFailure) as caught:
                async with outbound.download(
                    "https://media.example.com/", max_bytes=10, total_timeout=20
                ):
                    pass
    assert caught.value.error_class == "blocked"
    assert "https to http" in caught.value.message
    assert sockets.dialled == [PUBLIC]


async def test_follows_public_redirects_by_hand_and_reads_the_file(tmp_path: Path) -> None:
    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"GET /start "):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: ../media/a.png?x=1\r\n\r\n")
        else:
            assert head.startswith(b"GET /media/a.png?x=1 ")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: Image/PNG; a=b\r\n")
            writer.write(b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000)
        await writer.drain()

    server_tls, client_tls = certificate("media.example.com", tmp_path)
    names = FakeNames({"media.example.com": [[PUBLIC]]})
    async with receiver(serve, tls=server_tls) as port:
        sockets = Sockets({443: port})
        async with (
            Outbound(
                OutboundPolicy(), resolver=names, tls=client_tls, open_socket=sockets
            ) as outbound,
            outbound.download(
                "https://media.example.com/start", max_bytes=200_000, total_timeout=20
            ) as file,
        ):
            chunks = [chunk async for chunk in file.chunks()]
    assert (file.content_type, file.size_bytes) == ("image/png", 200_000)
    assert file.url == "https://media.example.com/media/a.png?x=1"
    assert b"".join(chunks) == b"x" * 200_000
    assert max(map(len, chunks)) <= 64 * 1024
    assert sockets.dialled == [PUBLIC, PUBLIC]


async def test_gives_up_after_the_redirects_allowed() -> None:
    seen: list[bytes] = []

    async def redirect(head: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(head)
        writer.write(b"HTTP/1.1 307 Again\r\nLocation: /\r\n\r\n")
        await writer.drain()

    async with (
        receiver(redirect) as port,
        Outbound(OutboundPolicy(allow_loopback=True)) as outbound,
    ):
        with pytest.raises(OutboundFailure) as caught:
            async with outbound.download(
                f"http://127.0.0.1:{port}/", max_bytes=10, total_timeout=20, max_redirects=2
            ):
                pass
    assert caught.value.error_class == "redirects"
    assert len(seen) == 3


async def test_a_dry_run_cannot_call_out() -> None:
    outbound = NullOutbound()
    with pytest.raises(UnexpectedCall):
        await outbound.post("https://hooks.example.com/", b"", {})
    with pytest.raises(UnexpectedCall):
        await outbound.get("https://hooks.example.com/", {})
    with pytest.raises(UnexpectedCall):
        outbound.download("https://hooks.example.com/", max_bytes=1, total_timeout=1)


async def test_a_get_sends_its_headers_and_follows_no_redirect() -> None:
    asked: list[bytes] = []

    async def redirect(head: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(head)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /on\r\nX-Usage: 7\r\n")
        writer.write(b"Content-Length: 4\r\n\r\nthis")
        await writer.drain()

    async with (
        receiver(redirect) as port,
        Outbound(OutboundPolicy(allow_loopback=True)) as outbound,
    ):
        answer = await outbound.get(
            f"http://127.0.0.1:{port}/v2?a=b", {"Authorization": "Bearer t"}, keep_body=2
        )
    assert (answer.status, answer.body, answer.headers["x-usage"]) == (302, b"th", "7")
    [head] = asked
    assert head.startswith(b"GET /v2?a=b HTTP/1.1\r\n")
    assert b"Authorization: Bearer t\r\n" in head


async def test_a_get_opens_no_socket_to_a_private_address() -> None:
    sockets = Sockets()
    async with Outbound(OutboundPolicy(), resolver=FakeNames({}), open_socket=sockets) as outbound:
        with pytest.raises(OutboundFailure) as caught:
            await outbound.get("https://169.254.169.254/latest", {})
    assert caught.value.error_class == "blocked"
    assert sockets.dialled == []
