"""The worker process: what a stop does to work that is under way, and how little idling costs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest

from tests.cast import World
from tests.client import Client
from tests.entry.installation import Installation, Program, installed
from tests.lib.outbound_rig import answer_ok, receiver
from tests.lib.waiting import SAFETY_NET
from tests.orders.walk import ordered
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.uploads.media import link_media

JOB = "SELECT status::text, starts, queue_manager_id FROM pgqueuer"
DELIVERY = "SELECT status, lease_token IS NOT NULL AS leased FROM webhook_deliveries"


@pytest.fixture
def installation(dsn: str) -> Iterator[Installation]:
    with installed(
        TOKPORTAL_DATABASE_URL=dsn,
        TOKPORTAL_DRAIN_SECONDS="1",
        TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK="true",
        TOKPORTAL_WEBHOOKS_ALLOW_HTTP_HOSTS="127.0.0.1",
    ) as made:
        yield made


class Held:
    """A server that takes requests and answers none until it is let go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        await self.let_go.wait()
        await answer_ok(head, writer)


async def link(ports: Ports, conn: Connection, world: World, bundle: str, port: int) -> None:
    async with unit_of_work(conn, world.acme, now=real_now()) as tx:
        await link_media(
            tx,
            bundle_id=UUID(bundle),
            owner_kind="slot",
            owner_id=uuid4(),
            kind="carousel_image",
            values=[f"http://127.0.0.1:{port}/a.png"],
            base_url="http://tokens.invalid",
            policy=ports.outbound_policy,
        )


def stop(program: Program) -> float:
    """Stop it in good order; give the seconds that it took."""
    began = time.monotonic()
    assert program.stop() == 0, program.log.read_text()
    return time.monotonic() - began


@pytest.mark.hazard(7)
async def test_gives_back_a_job_that_the_grace_was_too_short_for(
    installation: Installation,
    ports: Ports,
    conn: Connection,
    world: World,
    alice: Client,
    home: Path,
) -> None:
    bundle = await ordered(alice)
    held = Held()
    async with receiver(held) as port:
        await link(ports, conn, world, bundle, port)
        program = installation.start("worker", TOKPORTAL_HOME=str(home))
        await asyncio.wait_for(held.asked.wait(), SAFETY_NET)
        assert dict(await conn.fetchrow(JOB) or ())["status"] == "picked"
        await asyncio.to_thread(stop, program)
    assert dict(await conn.fetchrow(JOB) or ()) == {
        "status": "queued",
        "starts": 0,
        "queue_manager_id": None,
    }


@pytest.mark.hazard(7)
async def test_finishes_a_job_within_the_grace(
    installation: Installation,
    ports: Ports,
    conn: Connection,
    world: World,
    alice: Client,
    home: Path,
) -> None:
    bundle = await ordered(alice)
    held = Held()
    async with receiver(held) as port:
        await link(ports, conn, world, bundle, port)
        program = installation.start(
            "worker", TOKPORTAL_HOME=str(home), TOKPORTAL_DRAIN_SECONDS="30"
        )
        await asyncio.wait_for(held.asked.wait(), SAFETY_NET)
        program.process.send_signal(signal.SIGTERM)
        held.let_go.set()
        assert await asyncio.to_thread(program.wait) == 0
    job = await conn.fetchrow(JOB)
    # The answer was no image, so the job has either settled the medium or waits for another try.
    assert job is None or (job["status"], job["starts"]) == ("queued", 1)


async def test_ends_in_good_order_though_a_receiver_of_webhooks_hangs(
    installation: Installation, conn: Connection, alice: Client, home: Path
) -> None:
    held = Held()
    async with receiver(held) as port:
        await alice.post(
            "/webhooks", {"url": f"http://127.0.0.1:{port}/", "events": ["bundle.created"]}
        )
        await ordered(alice)
        # The API's home, which has the vault key that the endpoint's secret is sealed with.
        program = installation.start(
            "worker", TOKPORTAL_HOME=str(home), TOKPORTAL_WEBHOOKS_ALLOWED_PORTS=str(port)
        )
        await asyncio.wait_for(held.asked.wait(), SAFETY_NET)
        await asyncio.to_thread(stop, program)
    # Its lease ends by itself, and another worker sends the same event again.
    assert dict(await conn.fetchrow(DELIVERY) or ()) == {"status": "pending", "leased": True}


def test_alone_it_works_on_the_embedded_database_of_its_home() -> None:
    with installed() as installation:
        assert installation.run("migrate").returncode == 0
        program = installation.start("worker")
        deadline = time.monotonic() + SAFETY_NET
        while "worker_started" not in program.log.read_text():
            assert time.monotonic() < deadline
            assert program.process.poll() is None, program.log.read_text()
            time.sleep(0.05)
        stop(program)
        assert installation.leftovers() == []


def test_is_told_to_stop_by_the_kernel_when_its_parent_is_gone_already(
    installation: Installation,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tokportal_server.entry.child", "worker", "--parent", str(2**22)],
        env=installation.environment(),
        capture_output=True,
        timeout=SAFETY_NET,
        check=False,
    )
    assert ended.returncode == -signal.SIGTERM


@pytest.mark.proof
def test_an_idle_worker_hardly_uses_the_processor(installation: Installation) -> None:
    program = installation.start("worker")
    deadline = time.monotonic() + SAFETY_NET
    while "worker_started" not in program.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker = psutil.Process(program.process.pid)
    time.sleep(3)  # the loops' rests grow to their longest
    before = sum(worker.cpu_times()[:2])
    time.sleep(5)
    used = (sum(worker.cpu_times()[:2]) - before) / 5
    assert used < 0.1, f"{used:.1%} of a core"
    stop(program)
