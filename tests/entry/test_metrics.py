"""``/metrics`` of a running installation: every process counted, nobody's affairs told."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPException
from types import MappingProxyType

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.cast import people_the_world
from tests.conftest import free_port
from tests.entry.installation import (
    Answer,
    Installation,
    Program,
    installed,
    kill,
    request,
)
from tests.lib.waiting import SAFETY_NET
from tokportal_server.entry.metric_page import metrics
from tokportal_server.lib.db import Connection

TOKEN = "a-token-of-the-collector"
HANDED_ON = {"X-Forwarded-For": "198.51.100.7"}
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


@pytest.fixture
def installation(dsn: str) -> Iterator[Installation]:
    with installed(TOKPORTAL_PORT="0", TOKPORTAL_DATABASE_URL=dsn) as made:
        yield made


def ask(url: str, method: str = "GET", headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    """Ask the server, with headers of any name."""
    return request(url, method, body=None, **headers)


def scrape(address: str, headers: Mapping[str, str] = NO_HEADERS) -> dict[str, Metric]:
    """Give the metrics by name."""
    answer = ask(f"{address}/metrics", headers=headers)
    assert answer.status == 200, answer.body
    return {m.name: m for m in text_string_to_metric_families(answer.body.decode())}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    """Give the sum of a metric's samples with these labels."""
    family = found[name.removesuffix("_total")]
    return sum(
        sample.value
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def answered(program: Program, operation: str) -> float:
    """Say how many calls of an operation were answered, whoever is asked."""
    found = scrape(program.address)
    return value(found, "tokportal_http_requests_total", operation=operation)


async def test_all_processes_are_one_answer_and_a_dead_one_stays_counted(
    installation: Installation, conn: Connection
) -> None:
    world = await people_the_world(conn)
    program = installation.serve("--workers", "2", "--with-worker")
    for _ in range(20):
        ask(f"{program.address}/api/ext/me", headers={"X-API-Key": world.alice_key})
    assert {answered(program, "getCurrentUser") for _ in range(6)} == {20.0}

    await asyncio.to_thread(_until_measured, program, {"api", "worker"})
    assert value(scrape(program.address), "tokportal_database_up") == 1
    victim = program.workers_of_the_api()[0]
    kill([victim])
    await asyncio.to_thread(_until_answered, program)
    assert answered(program, "getCurrentUser") == 20
    pids = {
        s.labels["pid"] for s in scrape(program.address)["tokportal_process_memory_bytes"].samples
    }
    assert str(victim.pid) not in pids
    assert await asyncio.to_thread(program.stop) == 0


def _until_measured(program: Program, parts: set[str]) -> None:
    deadline = time.monotonic() + SAFETY_NET
    while time.monotonic() < deadline:
        memory = scrape(program.address)["tokportal_process_memory_bytes"].samples
        if {sample.labels["part"] for sample in memory} == parts:
            return
        time.sleep(0.05)
    raise AssertionError(f"not all of {parts} measure themselves: {program.log.read_text()}")


def _until_answered(program: Program) -> None:
    deadline = time.monotonic() + SAFETY_NET
    while time.monotonic() < deadline:
        with suppress(OSError, HTTPException):
            request(f"{program.address}/healthz")
            return
        time.sleep(0.05)
    raise AssertionError(program.log.read_text())


async def test_everything_that_is_told_is_documented_with_its_labels_and_holds_no_id(
    installation: Installation, conn: Connection
) -> None:
    world = await people_the_world(conn)
    program = installation.serve("--with-worker")
    ask(f"{program.address}/api/ext/me", headers={"X-API-Key": world.alice_key})
    ask(f"{program.address}/api/ext/bundles/{world.acme}", headers={"X-API-Key": world.alice_key})
    request(f"{program.address}/nowhere/{world.acme}", "BREW")
    found = scrape(program.address)
    documented = {told.name: set(told.labels) for told in metrics()}
    for family in found.values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name in documented
        for sample in family.samples:
            # Gauges of single processes are told apart by their pid.
            assert sample.labels.keys() - {"le", "pid"} == documented[name], sample
            assert not any(_UUID.search(said) for said in sample.labels.values()), sample
    methods = {s.labels["method"] for s in found["tokportal_http_requests"].samples}
    assert "BREW" not in methods
    assert await asyncio.to_thread(program.stop) == 0


async def test_metrics_are_for_this_machine_or_for_those_who_have_the_token(
    installation: Installation,
) -> None:
    program = installation.serve()
    handed_on = ask(f"{program.address}/metrics", headers=HANDED_ON)
    assert handed_on.status == 403
    assert b"METRICS_FORBIDDEN" in handed_on.body
    assert await asyncio.to_thread(program.stop) == 0

    program = installation.serve(TOKPORTAL_METRICS_TOKEN=TOKEN)
    assert request(f"{program.address}/metrics").status == 403
    assert request(f"{program.address}/metrics", Authorization=f"Bearer {TOKEN}x").status == 403
    far = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "198.51.100.7"}
    assert value(scrape(program.address, far), "tokportal_database_up") == 1
    assert TOKEN not in program.log.read_text()
    assert await asyncio.to_thread(program.stop) == 0


async def test_a_worker_of_its_own_answers_at_a_port_of_its_own(
    installation: Installation, conn: Connection
) -> None:
    await people_the_world(conn)
    installation.run("migrate")
    port = free_port()
    worker = installation.start("worker", TOKPORTAL_METRICS_PORT=str(port))
    address = f"http://127.0.0.1:{port}"
    found = await asyncio.to_thread(_first_scrape, address, worker)
    assert value(found, "tokportal_process_memory_bytes", part="worker") > 0
    assert request(f"{address}/healthz").status == 200
    assert ask(f"{address}/metrics", headers=HANDED_ON).status == 403
    assert await asyncio.to_thread(worker.stop) == 0


def _first_scrape(address: str, worker: Program) -> dict[str, Metric]:
    deadline = time.monotonic() + SAFETY_NET
    while time.monotonic() < deadline:
        with suppress(OSError):
            found = scrape(address)
            if value(found, "tokportal_loop_last_turn_timestamp_seconds", loop="deadlines"):
                return found
        assert worker.process.poll() is None, worker.log.read_text()
        time.sleep(0.05)
    raise AssertionError(worker.log.read_text())


async def test_a_doctors_visit_is_remembered(installation: Installation, conn: Connection) -> None:
    await people_the_world(conn)
    program = installation.serve()
    assert value(scrape(program.address), "tokportal_doctor_last_run_timestamp_seconds") == 0
    assert installation.run("doctor").returncode == 0
    # What was read a moment ago is told again for ten seconds; a new process has read nothing yet.
    assert await asyncio.to_thread(program.stop) == 0
    program = installation.serve()
    found = scrape(program.address)
    assert value(found, "tokportal_doctor_last_run_timestamp_seconds") > 1.7e9
    assert value(found, "tokportal_doctor_contradictions") == 0
    assert await asyncio.to_thread(program.stop) == 0
