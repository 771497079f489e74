"""Webhook deliveries: how fast, how soon, in how much memory, and how fast their log answers.

1. An embedded PostgreSQL with its default settings, a receiver in a process of its own, and twenty
   endpoints that it stands behind. The worker's own loops run in this process.
2. Throughput: a backlog is drained, against a bare aiohttp loop that posts the same signed bodies
   to the same receiver with the same number in flight. In pairs; what counts is the median.
3. Latency: events are committed at half the rate of 2; from each commit to the first byte at the
   receiver, the 99th percentile.
4. Memory: a backlog of 100,000 is drained; how far the process grows over what it had idle.
5. The list: the first page of an endpoint with 10^6 attempts against one with 10^3, by each filter.

Run it with nothing else going on: ``python bench/deliveries.py``; ``--quick`` takes a minute.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Final
from uuid import UUID, uuid4

import aiohttp
import psutil
import uvloop
from harness.receiver import arrivals, receiver
from harness.report import QUICK, Report, Spread, reporting
from harness.stage import Tenant, postgres, settle_in

from tokportal_server.entry.wiring import open_ports
from tokportal_server.lib.actor import SYSTEM
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.loops import run_loops
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.process import spare_the_collector
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.signing import sign_webhook
from tokportal_server.lib.unit_of_work import UnitOfWork, unit_of_work
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.delivery_log import list_deliveries
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.webhooks.operations.create_webhook_endpoint import create_webhook_endpoint
from tokportal_server.webhooks.schedule import IN_FLIGHT_CAP
from tokportal_server.webhooks.sending import ID_HEADER, SIGNATURE_HEADER, TYPE_HEADER
from tokportal_server.webhooks.wire import DeliveryQuery

ENDPOINTS: Final = 20
EVENTS: Final = 100 if QUICK else 400
PAIRS: Final = 3 if QUICK else 5
LATENCY_SECONDS: Final = 4.0 if QUICK else 20.0
BACKLOG: Final = 10_000 if QUICK else 100_000
LONG_LOG: Final = 100_000 if QUICK else 1_000_000
SHORT_LOG: Final = 1_000
CALLS: Final = 300

RATIO_LIMIT: Final = 0.5
P99_LIMIT_MS: Final = 300
MEMORY_LIMIT_MIB: Final = 100
LIST_LIMIT: Final = 1.5

TYPE: Final = "bundle.created"
DATA: Final = {
    "bundle_id": "9f3a7b2e-1c4d-4e8f-a5b6-7d9e0f1a2b3c",
    "external_ref": "spring-7",
    "bundle_type": "account_and_videos",
    "platform": "tiktok",
    "status": "pending_setup",
    "previous_status": None,
}
WAITING: Final = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
PAYLOADS: Final = "SELECT event_id, body FROM webhook_payloads ORDER BY recorded_at DESC LIMIT $1"
FILL_LOG: Final = """
INSERT INTO webhook_deliveries (workspace_id, endpoint_id, event_id, event_type, url, attempt,
                                status, due_at, response_status, response_body, duration_ms,
                                error_class, created_at, finished_at)
SELECT $1, $2, 'evt_' || md5(n::text), CASE WHEN n % 500 = 0 THEN 'report.created' ELSE $4 END,
       'https://example.com/hook', 1, CASE WHEN n % 1000 = 7 THEN 'failed' ELSE 'succeeded' END,
       now(), 200, 'ok', 12, NULL, now(), now()
  FROM generate_series(1, $3::integer) n
"""


# The worker's side.


@dataclass(frozen=True, slots=True)
class Scene:
    """A workspace with endpoints behind which the receiver stands."""

    ports: Ports
    tenant: Tenant
    address: str
    secrets: dict[str, str] = field(default_factory=dict)

    async def register(self, path: str, event_type: str = TYPE) -> UUID:
        """Make an endpoint for one type of event at a path of the receiver; give its id."""
        async with self._work() as tx:
            made = await create_webhook_endpoint(
                tx=tx,
                actor=SYSTEM,
                vault=self.ports.vault,
                policy=self.ports.outbound_policy,
                url=f"{self.address}{path}",
                events=[event_type],
            )
        self.secrets[made.url] = str(made.signing_secret)
        return made.id

    async def commit(self, events: int, event_type: str = TYPE) -> list[str]:
        """Commit events in one transaction; give their ids."""
        async with self._work() as tx:
            return [tx.emit(event_type, DATA) for _ in range(events)]

    async def commit_all(self, events: int, event_type: str = TYPE) -> None:
        """Commit many events, 200 at once."""
        for start in range(0, events, 200):
            await self.commit(min(200, events - start), event_type)

    async def dispatch(self) -> None:
        """Write the deliveries of all events that were committed."""
        dispatcher = Dispatcher(self.ports)
        while await dispatcher.run_once():
            pass

    async def fan_out(self, events: int, event_type: str = TYPE) -> None:
        """Commit events and write their deliveries."""
        await self.commit_all(events, event_type)
        await self.dispatch()

    async def drain(self) -> None:
        """Send and record everything that waits."""
        deliverer = Deliverer(self.ports)
        while await deliverer.run_once() or deliverer.in_flight:
            pass
        async with self.ports.database.connection() as conn:
            assert await conn.fetchval(WAITING) == 0

    @asynccontextmanager
    async def _work(self) -> AsyncIterator[UnitOfWork]:
        async with (
            self.ports.database.connection() as conn,
            unit_of_work(conn, self.tenant.workspace, now=real_now()) as tx,
        ):
            yield tx


@asynccontextmanager
async def scene(
    home: Path, dsn: str, address: str, endpoints: int = ENDPOINTS
) -> AsyncIterator[Scene]:
    """Connect as a worker does, and make the endpoints."""
    settings = Settings(
        home=home,
        database_url=dsn,
        webhooks_allow_loopback=True,
        webhooks_allowed_ports=(int(address.rpartition(":")[2]),),
    )
    async with open_ports(settings) as ports:
        async with ports.database.connection() as conn:
            tenant = await settle_in(conn, "bench")
        stage = Scene(ports, tenant, address)
        for number in range(endpoints):
            await stage.register(f"/hooks/{number}")
        # As a worker does when it has started; the bare loop runs in the same process.
        spare_the_collector()
        yield stage


# 2. Throughput.


async def ours(stage: Scene) -> float:
    """Drain a backlog; give deliveries a second."""
    await stage.fan_out(EVENTS)
    began = time.perf_counter()
    await stage.drain()
    return EVENTS * ENDPOINTS / (time.perf_counter() - began)


async def bare(stage: Scene) -> float:
    """Post the same bodies, signed, with as many in flight; give posts a second."""
    async with stage.ports.database.connection() as conn:
        rows = await conn.fetch(PAYLOADS, EVENTS)
    signed_at = int(time.time())
    posts = [
        (
            url,
            row["body"],
            {
                "Content-Type": "application/json",
                ID_HEADER: row["event_id"],
                TYPE_HEADER: TYPE,
                SIGNATURE_HEADER: sign_webhook(secret, signed_at, row["body"]),
            },
        )
        for row in rows
        for url, secret in stage.secrets.items()
    ]
    waiting = iter(posts)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post() -> None:
            for url, body, headers in waiting:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    assert answer.status == 200

        began = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(ENDPOINTS * IN_FLIGHT_CAP)))
        return len(posts) / (time.perf_counter() - began)


async def throughput(report: Report, stage: Scene) -> float:
    """Compare in pairs; give our median rate."""
    ratios, rates = [], []
    for number in range(-1, PAIRS):
        rate = await ours(stage)
        ratio = rate / await bare(stage)
        # The first pair only warms up.
        if number >= 0:
            rates.append(rate)
            ratios.append(ratio)
    report.add(
        f"throughput with {ENDPOINTS * IN_FLIGHT_CAP} in flight",
        median(rates),
        "deliveries/s",
        ratio=median(ratios),
        versus="a bare aiohttp sender",
        spread=Spread.of(ratios),
        at_least=RATIO_LIMIT,
    )
    return median(rates)


# 3. Latency.


async def waits_of(stage: Scene, pause: float) -> list[float]:
    """Commit an event every ``pause`` seconds while the worker's loops run.

    Gives the milliseconds from each commit to the first byte at the receiver.
    """
    await arrivals(stage.address)
    stop = asyncio.Event()
    loops = asyncio.create_task(run_loops([Dispatcher(stage.ports), Deliverer(stage.ports)], stop))
    committed: dict[str, float] = {}
    began = time.perf_counter()
    for number in range(int(LATENCY_SECONDS / pause)):
        await asyncio.sleep(max(0.0, began + number * pause - time.perf_counter()))
        [event_id] = await stage.commit(1)
        committed[event_id] = time.time()
    await asyncio.sleep(1)
    stop.set()
    await loops
    came = await arrivals(stage.address)
    return [1000 * (came[event_id] - at) for event_id, at in committed.items()]


def p99(waits: Sequence[float]) -> float:
    """Give the 99th percentile."""
    return quantiles(waits, n=100)[98]


async def latency(report: Report, stage: Scene, rate: float) -> None:
    """Commit events at half the rate; tell of the 99th percentile."""
    waits = await waits_of(stage, ENDPOINTS / (rate / 2))
    await stage.drain()
    report.add(
        f"from commit to first byte at {rate / 2:,.0f} deliveries/s, 99th percentile",
        p99(waits),
        "ms",
        at_most=P99_LIMIT_MS,
        note=f"median {median(waits):.0f} ms of {len(waits)} events",
    )


# 4. Memory.


async def memory(report: Report, stage: Scene) -> None:
    """Drain a large backlog and watch the process grow."""
    await stage.fan_out(BACKLOG // ENDPOINTS)
    process = psutil.Process(os.getpid())
    idle, highest = process.memory_info().rss, 0
    draining = asyncio.create_task(stage.drain())
    while not draining.done():
        highest = max(highest, process.memory_info().rss)
        await asyncio.wait({draining}, timeout=0.1)
    await draining
    report.add(
        f"memory over idle while {BACKLOG:,} deliveries drain",
        (highest - idle) / 2**20,
        "MiB",
        at_most=MEMORY_LIMIT_MIB,
    )


# 5. The list.


async def listing(report: Report, stage: Scene) -> None:
    """Ask for first pages of a short and of a long log, in turns."""
    logs = {SHORT_LOG: await _log(stage, SHORT_LOG), LONG_LOG: await _log(stage, LONG_LOG)}
    first = DeliveryQuery()
    queries = {
        "all": first,
        "success=true": replace_query(first, success=True),
        "success=false": replace_query(first, success=False),
        "event_type": replace_query(first, event_type="report.created"),
    }
    for name, query in queries.items():
        times: dict[int, list[float]] = {SHORT_LOG: [], LONG_LOG: []}
        for _ in range(CALLS):
            for size, endpoint in logs.items():
                times[size].append(await _ask(stage, endpoint, query))
        short, long = (median(times[size]) for size in (SHORT_LOG, LONG_LOG))
        report.add(
            f"first page of {LONG_LOG:,} attempts, {name}",
            long,
            "ms",
            ratio=long / short,
            versus=f"the time with {SHORT_LOG:,}",
            at_most=LIST_LIMIT,
        )


def replace_query(
    query: DeliveryQuery, *, success: bool | None = None, event_type: str | None = None
) -> DeliveryQuery:
    """Give the query with a filter."""
    return DeliveryQuery(
        page=query.page, per_page=query.per_page, success=success, event_type=event_type
    )


async def _log(stage: Scene, attempts: int) -> UUID:
    endpoint = await stage.register(f"/log/{uuid4()}", "report.created")
    async with stage.ports.database.connection() as conn:
        await conn.execute(FILL_LOG, stage.tenant.workspace, endpoint, attempts, TYPE)
        await conn.execute("ANALYZE webhook_deliveries")
    return endpoint


async def _ask(stage: Scene, endpoint: UUID, query: DeliveryQuery) -> float:
    async with stage.ports.database.connection() as conn:
        began = time.perf_counter()
        rows, page = await list_deliveries(conn, stage.tenant.workspace, endpoint, query)
        took = 1000 * (time.perf_counter() - began)
    assert rows
    assert page.total
    return took


async def measure(
    report: Report, home: Path, dsn: str, address: str, wanted: Sequence[str]
) -> None:
    """Measure one after the other."""
    async with scene(home, dsn, address) as stage:
        rate = await throughput(report, stage)
        if "latency" in wanted:
            await latency(report, stage, rate)
        if "memory" in wanted:
            await memory(report, stage)
        if "list" in wanted:
            await listing(report, stage)


def main() -> int:
    """Measure; the exit code is 1 if a limit was broken."""
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    wanted = named or ["latency", "memory", "list"]
    with reporting(__file__, __doc__) as report, postgres() as (home, dsn), receiver() as address:
        uvloop.run(measure(report, home, dsn, address, wanted))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
