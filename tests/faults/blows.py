"""The faults: each is done to the scene, lasts a while, and is taken back."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncpg
import psutil

from tests.faults.disk import SmallDisk
from tests.faults.outside import Illness
from tests.faults.proxy import Proxy
from tests.faults.scene import Scene, Server

BACKENDS = """
SELECT pg_terminate_backend(pid) FROM (
    SELECT pid FROM pg_stat_activity
     WHERE application_name = 'tokportal-server' ORDER BY md5(pid::text || $2) LIMIT $1
) chosen
"""


@dataclass(frozen=True)
class Blow:
    """One fault of the plan: its kind, how long it lasts, and what it picks among equals."""

    kind: str
    seconds: float
    pick: int


Strike = Callable[[Scene, Blow], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """A kind of fault: in words, between how many seconds it lasts, and what it takes."""

    about: str
    seconds: tuple[float, float]
    strike: Strike
    fills: bool = False
    # Its server is away meanwhile: nothing else can fall on it.
    alone: bool = False


def _server(scene: Scene, blow: Blow) -> Server:
    return scene.servers[blow.pick % len(scene.servers)]


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


async def _freeze(process: psutil.Process, seconds: float) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)


async def kill_api(scene: Scene, blow: Blow) -> None:
    _kill(await _server(scene, blow).part("api"))


async def kill_api_worker(scene: Scene, blow: Blow) -> None:
    _kill(await _server(scene, blow).api_worker(blow.pick))


async def kill_worker(scene: Scene, blow: Blow) -> None:
    _kill(await _server(scene, blow).part("worker"))


async def kill_server(scene: Scene, blow: Blow) -> None:
    server = _server(scene, blow)
    server.kill()
    await asyncio.sleep(blow.seconds)
    await server.start()


async def restart_server(scene: Scene, blow: Blow) -> None:
    server = _server(scene, blow)
    code = await server.stop()
    await server.start()
    if code != 0:
        raise AssertionError(f"a server that was told to stop ended with {code}")


async def freeze_api_worker(scene: Scene, blow: Blow) -> None:
    await _freeze(await _server(scene, blow).api_worker(blow.pick), blow.seconds)


async def freeze_worker(scene: Scene, blow: Blow) -> None:
    await _freeze(await _server(scene, blow).part("worker"), blow.seconds)


async def freeze_postgres(scene: Scene, blow: Blow) -> None:
    """Freeze one backend, in the middle of whatever it does."""
    if backends := _backends(scene):
        await _freeze(backends[blow.pick % len(backends)], blow.seconds)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _postmaster(scene: Scene) -> psutil.Process:
    return psutil.Process(int((scene.postgres.data_dir / "postmaster.pid").read_text().split()[0]))


def _backends(scene: Scene) -> list[psutil.Process]:
    return [one for one in _postmaster(scene).children() if "tokportal tokportal" in _command(one)]


async def kill_postmaster(scene: Scene, _: Blow) -> None:
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        _postmaster(scene).kill()


async def kill_backend(scene: Scene, blow: Blow) -> None:
    """Kill a backend: PostgreSQL ends all sessions and recovers."""
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        if backends := _backends(scene):
            _kill(backends[blow.pick % len(backends)])


async def end_sessions(scene: Scene, blow: Blow) -> None:
    """End some sessions, twice a second."""
    loop = asyncio.get_running_loop()
    until = loop.time() + blow.seconds
    while loop.time() < until:
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):
            async with scene.connected() as conn:
                await conn.fetch(BACKENDS, 1 + blow.pick % 20, str(blow.pick))
        await asyncio.sleep(0.5)


async def cut_connections(scene: Scene, blow: Blow) -> None:
    """Cut connections in the middle of what they say, every now and then."""
    chance = random.Random(blow.pick)
    loop = asyncio.get_running_loop()
    until = loop.time() + blow.seconds
    while loop.time() < until:
        _proxy(scene, blow).hang_up(0.5, chance)
        await asyncio.sleep(chance.uniform(0.05, 0.5))


async def part_network(scene: Scene, blow: Blow) -> None:
    """Let nothing through between one server and the database; in the end, hang up."""
    proxy = _proxy(scene, blow)
    proxy.flowing.clear()
    await asyncio.sleep(blow.seconds)
    proxy.hang_up()
    proxy.heal()


async def refuse_connections(scene: Scene, blow: Blow) -> None:
    proxy = _proxy(scene, blow)
    proxy.refusing = True
    proxy.hang_up()
    await asyncio.sleep(blow.seconds)
    proxy.heal()


async def slow_database(scene: Scene, blow: Blow) -> None:
    for server in scene.servers:
        server.proxy.delay = 0.02 + blow.pick % 200 / 1000
    await asyncio.sleep(blow.seconds)
    for server in scene.servers:
        server.proxy.heal()


def _proxy(scene: Scene, blow: Blow) -> Proxy:
    return _server(scene, blow).proxy


async def _fill(disk: SmallDisk, seconds: float) -> None:
    await asyncio.to_thread(disk.fill)
    try:
        await asyncio.sleep(seconds)
    finally:
        disk.free()


async def fill_database_disk(scene: Scene, blow: Blow) -> None:
    await _fill(scene.database_disk, blow.seconds)


async def fill_home_disk(scene: Scene, blow: Blow) -> None:
    await _fill(scene.home_disk, blow.seconds)


async def sicken_receiver(scene: Scene, blow: Blow) -> None:
    """One receiver of each workspace, never the other one, falls ill."""
    kinds: tuple[Illness, ...] = ("hangs", "refuses", "fails")
    ill = [inbox for name, inbox in scene.outside.inboxes.items() if name.endswith("-troubled")]
    for inbox in ill:
        inbox.fall_ill(kinds[blow.pick % len(kinds)])
    await asyncio.sleep(blow.seconds)
    for inbox in ill:
        inbox.recover()


async def sicken_media_host(scene: Scene, blow: Blow) -> None:
    kinds: tuple[Illness, ...] = ("hangs", "refuses", "fails", "drips")
    scene.outside.media.fall_ill(kinds[blow.pick % len(kinds)])
    await asyncio.sleep(blow.seconds)
    scene.outside.media.recover()


async def hang_platform(scene: Scene, blow: Blow) -> None:
    scene.outside.hang_platform()
    await asyncio.sleep(blow.seconds)
    scene.outside.free_platform()


SHORT: Final = (0.0, 0.0)
KINDS: Final[dict[str, Kind]] = {
    "kill_api": Kind("SIGKILL of an API process (Granian's own)", SHORT, kill_api),
    "kill_api_worker": Kind("SIGKILL of one of Granian's workers", SHORT, kill_api_worker),
    "kill_worker": Kind("SIGKILL of a worker", SHORT, kill_worker),
    "kill_server": Kind(
        "SIGKILL of supervisor, API and worker at once; started again later",
        (0.5, 4),
        kill_server,
        alone=True,
    ),
    "restart_server": Kind(
        "SIGTERM of a server, and a new start", SHORT, restart_server, alone=True
    ),
    "freeze_api_worker": Kind(
        "SIGSTOP of one of Granian's workers, SIGCONT later", (2, 12), freeze_api_worker
    ),
    "freeze_worker": Kind(
        "SIGSTOP of a worker, also past its leases, SIGCONT later", (2, 40), freeze_worker
    ),
    "kill_postmaster": Kind("SIGKILL of PostgreSQL's postmaster", SHORT, kill_postmaster),
    "kill_backend": Kind("SIGKILL of one backend of PostgreSQL", SHORT, kill_backend),
    "freeze_backend": Kind("SIGSTOP of one backend, SIGCONT later", (1, 12), freeze_postgres),
    "end_sessions": Kind("pg_terminate_backend, again and again", (1, 8), end_sessions),
    "cut_connections": Kind(
        "connections to the database cut in the middle, again and again", (1, 8), cut_connections
    ),
    "part_network": Kind(
        "nothing gets through between a server and the database", (1, 15), part_network
    ),
    "refuse_connections": Kind(
        "the database refuses a server's connections", (1, 10), refuse_connections
    ),
    "slow_database": Kind(
        "20 to 220 ms more for each message of the database", (3, 15), slow_database
    ),
    "fill_database_disk": Kind(
        "no byte free where PostgreSQL's data are", (2, 10), fill_database_disk, fills=True
    ),
    "fill_home_disk": Kind(
        "no byte free where media and uploads are", (2, 10), fill_home_disk, fills=True
    ),
    "sicken_receiver": Kind(
        "a receiver of webhooks hangs, hangs up or answers 503", (5, 30), sicken_receiver
    ),
    "sicken_media_host": Kind(
        "a host of media hangs, hangs up, answers 503 or drips", (3, 15), sicken_media_host
    ),
    "hang_platform": Kind("a platform's API answers nobody", (3, 20), hang_platform),
}
