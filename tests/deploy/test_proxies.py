"""The examples for nginx and Caddy, each in front of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from tests.cast import World
from tests.client import Client
from tests.conftest import free_port, serving
from tests.deploy.proxies import Proxy, caddy, nginx
from tests.lib.waiting import SAFETY_NET
from tests.orders.walk import order, ordered
from tests.pages.guest import Guest, give_passwords
from tests.uploads.forms import form
from tokportal_server.lib.db import Connection
from tokportal_server.lib.settings import Settings

Starter = Callable[[int, Sequence[int]], AbstractContextManager[Proxy]]
# Loopback has many addresses: one for the proxy, one for whoever asks it.
CALLER = "127.0.0.7"
SEEN = "SELECT host(address::inet) FROM person_sessions"
MIB = 1 << 20
# What a video begins with.
BEGINNING = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def starter(request: pytest.FixtureRequest) -> Starter:
    start: Starter = request.param
    return start


@pytest.fixture
def port() -> int:
    """Where the proxy will be."""
    return free_port()


@pytest.fixture
def settings(settings: Settings, port: int) -> Settings:
    """Those that the examples name."""
    return msgspec.structs.replace(
        settings, public_url=f"https://localhost:{port}", trusted_proxies=("127.0.0.1",)
    )


@pytest.fixture
async def proxy(starter: Starter, settings: Settings, port: int) -> AsyncIterator[Proxy]:
    """The proxy, before a server and a place where none is."""
    async with serving(settings):
        with starter(port, [settings.port, free_port()]) as running:
            yield running


@asynccontextmanager
async def calling(proxy: Proxy) -> AsyncIterator[aiohttp.ClientSession]:
    """Ask from an address of the caller's own."""
    connector = aiohttp.TCPConnector(ssl=proxy.trust, local_addr=(CALLER, 0), force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield http


async def test_a_visitor_is_whom_the_proxy_saw_and_not_whom_they_say(
    proxy: Proxy, world: World, conn: Connection
) -> None:
    await give_passwords(conn, world.alice)
    async with calling(proxy) as http:
        http.headers["X-Forwarded-For"] = "203.0.113.9"
        guest = Guest(proxy.address, http)
        assert (await guest.sign_in("alice")).status == 303
        assert (await guest.get(f"/console/{world.acme}")).status == 200
    assert await conn.fetchval(SEEN) == CALLER


async def test_live_updates_come_at_once(proxy: Proxy, world: World, conn: Connection) -> None:
    await give_passwords(conn, world.alice)
    async with calling(proxy) as http:
        guest = Guest(proxy.address, http)
        await guest.sign_in("alice")
        page = await guest.get(f"/console/{world.acme}")
        live = page.html.split('data-live="')[1].split('"')[0]
        async with guest.listening(live) as stream, asyncio.timeout(SAFETY_NET):
            assert (await stream.readline()).startswith(b"retry:")
            await _order(http, proxy, world)
            while b"moved" not in await stream.readline():
                pass


async def _order(http: aiohttp.ClientSession, proxy: Proxy, world: World) -> None:
    async with http.post(
        f"{proxy.address}/api/ext/bundles", json=order(0), headers={"X-API-Key": world.alice_key}
    ) as answer:
        assert answer.status == 201, await answer.text()


async def test_a_server_that_is_not_there_is_passed_over(proxy: Proxy, world: World) -> None:
    async with calling(proxy) as http:
        for _ in range(10):
            await _order(http, proxy, world)


async def test_browsers_are_told_to_use_https_only_also_by_a_refusal(proxy: Proxy) -> None:
    async with calling(proxy) as http:
        for path, status in (("/sign-in", 200), ("/api/ext/me", 401), ("/nowhere", 404)):
            async with http.get(proxy.address + path) as answer:
                assert answer.status == status
                assert answer.headers["strict-transport-security"] == "max-age=63072000"
                assert answer.headers.getall("x-content-type-options") == ["nosniff"]


async def test_metrics_are_not_for_callers(proxy: Proxy) -> None:
    async with calling(proxy) as http, http.get(f"{proxy.address}/metrics") as answer:
        assert answer.status in {403, 404}
        assert b"tokportal_http" not in await answer.read()


async def test_a_file_reaches_the_server_while_it_is_being_sent(
    proxy: Proxy, settings: Settings, world: World
) -> None:
    async with Client(f"http://127.0.0.1:{settings.port}", world.alice_key) as alice:
        bundle = await ordered(alice)
    body, about = form(BEGINNING + b"x" * (16 * MIB), {"bundle_id": bundle})
    arrived = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[: 8 * MIB]
        # The rest comes when the first half is there.
        await asyncio.wait_for(arrived.wait(), SAFETY_NET)
        yield body[8 * MIB :]

    async with calling(proxy) as http:
        headers = {**about, "X-API-Key": world.alice_key, "Content-Length": str(len(body))}
        url = f"{proxy.address}/api/ext/upload/video/direct"
        sending = asyncio.create_task(_status(http, url, slowly(), headers))
        while _size(settings.incoming) < 6 * MIB:
            assert not sending.done(), await sending
            await asyncio.sleep(0.02)
        assert proxy.kept() == 0
        arrived.set()
        # It is no video, which only a look at all of it can tell.
        assert await sending in {400, 422}


async def _status(
    http: aiohttp.ClientSession, url: str, body: AsyncIterator[bytes], headers: dict[str, str]
) -> int:
    async with http.post(url, data=body, headers=headers) as answer:
        return answer.status


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*"))


async def test_a_body_beyond_the_largest_video_is_refused_by_its_declared_length(
    proxy: Proxy, world: World
) -> None:
    reader, writer = await asyncio.open_connection("localhost", proxy.port, ssl=proxy.trust)
    writer.write(
        b"POST /api/ext/upload/video/direct HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n"
        b"X-API-Key: %s\r\nContent-Length: %d\r\n\r\n--b\r\n"
        % (world.alice_key.encode(), 2000 * MIB)
    )
    sent = 0
    answer = asyncio.ensure_future(reader.readline())
    while not answer.done() and sent < 100:
        writer.write(b"x" * MIB)
        await asyncio.wait({answer}, timeout=0.05)
        sent += 1
    # By nginx, or by the server itself.
    assert (await asyncio.wait_for(answer, SAFETY_NET)).split()[1] in {b"413", b"400"}
    assert sent < 100
    writer.transport.abort()


async def test_whoever_comes_without_https_is_sent_there(settings: Settings, port: int) -> None:
    # Caddy does so by itself, unless it is told not to, as here for want of its usual ports.
    async with serving(settings):
        with nginx(port, [settings.port]) as proxy:
            async with calling(proxy) as http:
                plain = f"http://localhost:{proxy.plain_port}/console?a=1"
                async with http.get(plain, allow_redirects=False) as answer:
                    assert answer.status == 308
                    assert answer.headers["location"] == f"{proxy.address}/console?a=1"
