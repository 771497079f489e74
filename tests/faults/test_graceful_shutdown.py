"""SIGTERM while requests are under way: they end with their answers, and nothing new begins."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.cast import World
from tests.conftest import free_port
from tests.entry.installation import Installation, Program, installed
from tests.lib.databases import connected
from tests.lib.waiting import SAFETY_NET, until_blocked
from tests.orders.walk import order
from tests.uploads.forms import form
from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.lib.db import Connection

WALLETS = "SELECT 1 FROM wallets FOR UPDATE"
ORDERS = "SELECT count(*) FROM bundles"


@pytest.fixture
def installation(dsn: str) -> Iterator[Installation]:
    with installed(
        TOKPORTAL_PORT="0",
        TOKPORTAL_DATABASE_URL=dsn,
        TOKPORTAL_DRAIN_SECONDS="30",
        TOKPORTAL_KEY_BUCKET_CAPACITY="1000000",
    ) as made:
        yield made


@asynccontextmanager
async def wallets_locked(dsn: str) -> AsyncIterator[Connection]:
    """Hold the rows that every order has to wait for."""
    async with connected(dsn) as conn, conn.transaction():
        await conn.execute(WALLETS)
        yield conn


async def place_order(program: Program, world: World, key: str) -> int:
    headers = {"X-API-Key": world.alice_key, "Idempotency-Key": key}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{program.address}/api/ext/bundles", json=order(1)) as reply,
    ):
        await reply.read()
        return reply.status


def port_of(program: Program) -> int:
    return int(program.address.rpartition(":")[2])


async def until_refused(program: Program) -> None:
    """Wait until nobody can connect any more."""
    async with asyncio.timeout(SAFETY_NET):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port_of(program))
            except ConnectionRefusedError:
                return
            writer.transport.abort()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_an_order_in_its_transaction_is_answered_and_new_connections_are_refused(
    installation: Installation, dsn: str, world: World, conn: Connection, workers: str
) -> None:
    program = await asyncio.to_thread(installation.serve, "--workers", workers)
    async with wallets_locked(dsn) as holder:
        placing = asyncio.create_task(place_order(program, world, "one"))
        await until_blocked(holder, placing)
        program.process.send_signal(signal.SIGTERM)
        await until_refused(program)
        assert not placing.done()
    assert await placing == 201
    assert await asyncio.to_thread(program.wait) == 0
    assert await conn.fetchval(ORDERS) == 1


async def test_an_upload_that_is_still_arriving_is_taken_to_its_end(
    installation: Installation, world: World, conn: Connection, tmp_path: Path
) -> None:
    program = await asyncio.to_thread(installation.serve)
    assert await place_order(program, world, "one") == 201
    bundle = str(await conn.fetchval("SELECT id FROM bundles"))
    video = tmp_path / "sample.mp4"
    write_sample_video(video)
    body, headers = form(video.read_bytes(), {"bundle_id": bundle})
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(program))
    lines = {
        "Host": "here",
        "X-API-Key": world.alice_key,
        "Content-Length": str(len(body)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"POST /api/ext/upload/video/direct HTTP/1.1\r\n{head}\r\n".encode())
    writer.write(body[: len(body) // 2])
    await writer.drain()
    incoming = installation.home / "incoming"
    async with asyncio.timeout(SAFETY_NET):
        while not list(incoming.glob("upload-*")):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
    program.process.send_signal(signal.SIGTERM)
    await until_refused(program)
    writer.write(body[len(body) // 2 :])
    async with asyncio.timeout(SAFETY_NET):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    assert await asyncio.to_thread(program.wait) == 0
    assert await conn.fetchval("SELECT count(*) FROM uploads") == 1


async def test_past_the_grace_an_order_is_rolled_back_and_its_key_is_free(
    installation: Installation, dsn: str, world: World, conn: Connection
) -> None:
    program = await asyncio.to_thread(installation.serve, TOKPORTAL_DRAIN_SECONDS="1")
    async with wallets_locked(dsn) as holder:
        placing = asyncio.create_task(place_order(program, world, "one"))
        await until_blocked(holder, placing)
        assert await asyncio.to_thread(program.stop) == 0
        with pytest.raises(aiohttp.ClientError):
            await placing
    assert await conn.fetchval(ORDERS) == 0
    successor = await asyncio.to_thread(installation.serve)
    assert await place_order(successor, world, "one") == 201
    assert await place_order(successor, world, "one") == 201
    assert await conn.fetchval(ORDERS) == 1
    assert await asyncio.to_thread(successor.stop) == 0


async def test_servers_that_are_restarted_one_after_the_other_lose_no_request(
    installation: Installation, world: World
) -> None:
    ports = [free_port() for _ in range(2)]
    programs = [
        await asyncio.to_thread(installation.serve, TOKPORTAL_PORT=str(port)) for port in ports
    ]
    over, placed = asyncio.Event(), 0

    async def order_on() -> None:
        nonlocal placed
        headers = {"X-API-Key": world.bob_key}
        async with aiohttp.ClientSession(headers=headers) as session:
            while not over.is_set():
                placed += await asked(session, ports[placed % 2 :] + ports[: placed % 2])
                await asyncio.sleep(0.02)  # the servers shall start beside it

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(order_on())
        for number, port in enumerate(ports):
            assert await asyncio.to_thread(programs[number].stop) == 0
            programs[number] = await asyncio.to_thread(installation.serve, TOKPORTAL_PORT=str(port))
        over.set()
    assert placed > 0
    for program in programs:
        assert await asyncio.to_thread(program.stop) == 0


async def asked(session: aiohttp.ClientSession, ports: list[int]) -> int:
    """Ask the first who takes the connection, as a proxy does; any other failure is one."""
    for port in ports:
        try:
            async with session.get(f"http://127.0.0.1:{port}/api/ext/me") as reply:
                assert reply.status == 200, await reply.text()
                return 1
        except aiohttp.ClientConnectorError:
            continue
    raise AssertionError("nobody listens")
