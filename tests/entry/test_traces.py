"""Traces of a running installation, as an operator's collector receives them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.cast import World, people_the_world
from tests.entry.collector import Collector, Seen, collecting
from tests.entry.installation import Answer, Installation, Program, installed, request
from tests.orders.walk import order
from tokportal_server.lib import tracing
from tokportal_server.lib.db import Connection

STRANGERS = f"00-{'5' * 32}-{'6' * 16}-01"


@dataclass
class Scene:
    """A traced installation with the cast in it."""

    installation: Installation
    program: Program
    collector: Collector
    world: World

    async def post(self, path: str, body: object, **headers: str) -> Answer:
        """Call the API as Alice."""
        return await asyncio.to_thread(
            request,
            f"{self.program.address}/api/ext{path}",
            "POST",
            body=json.dumps(body).encode(),
            **{
                "X-API-Key": self.world.alice_key,
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as listening:
        yield listening


@pytest.fixture
def installation(dsn: str, collector: Collector) -> Iterator[Installation]:
    with installed(
        TOKPORTAL_PORT="0",
        TOKPORTAL_DATABASE_URL=dsn,
        TOKPORTAL_WEBHOOKS_ALLOW_LOOPBACK="true",
        TOKPORTAL_WEBHOOKS_ALLOWED_PORTS=str(collector.port),
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
        OTEL_BSP_SCHEDULE_DELAY="100",
        NO_PROXY="127.0.0.1",
    ) as made:
        yield made


@pytest.fixture
async def scene(
    installation: Installation, collector: Collector, conn: Connection
) -> AsyncIterator[Scene]:
    world = await people_the_world(conn)
    program = await asyncio.to_thread(installation.serve, "--with-worker")
    yield Scene(installation, program, collector, world)
    assert await asyncio.to_thread(program.stop) == 0


async def test_an_order_is_one_tree_from_its_request_to_the_delivered_webhook(scene: Scene) -> None:
    collector = scene.collector
    hook = {"url": f"{collector.address}/hook", "events": ["bundle.created"]}
    assert (await scene.post("/webhooks", hook)).status == 201
    answer = await scene.post("/bundles", order(title="Nobody's business"), X_Request_ID="of-alice")
    assert answer.status == 201
    await collector.until(
        lambda: collector.has("createBundle", "dispatch bundle.created", "deliver bundle.created")
    )

    root = collector.one("createBundle")
    dispatched = collector.one("dispatch bundle.created")
    delivered = collector.one("deliver bundle.created")
    assert (root.parent, root.part) == ("", "api")
    assert (dispatched.parent, dispatched.part) == (root.id, "worker")
    assert (delivered.parent, delivered.part) == (dispatched.id, "worker")
    assert {root.trace, dispatched.trace, delivered.trace} == {root.trace}
    assert root.attributes["tokportal.request_id"] == "of-alice"
    assert root.attributes["http.response.status_code"] == 201
    assert delivered.attributes["http.response.status_code"] == 204
    statements = {span.name for span in collector.below(root)}
    assert {"http.admission.ADMIT", "lib.unit_of_work.WRITE_CHANGES", "COMMIT"} <= statements
    [headers] = collector.hooks
    assert headers["traceparent"].rpartition("-")[0] == delivered.traceparent
    _stands_in_the_log(scene.program, root)
    _holds_nothing_of_whom_it_is_about(collector, scene.world)


def _stands_in_the_log(program: Program, root: Seen) -> None:
    lines = [line for line in program.logged() if line.get("request_id") == "of-alice"]
    assert [line["trace_id"] for line in lines] == [root.trace]


def _holds_nothing_of_whom_it_is_about(collector: Collector, world: World) -> None:
    told = json.dumps([[span.name, span.attributes] for span in collector.spans])
    assert "Nobody's business" not in told
    assert "/hook" not in told
    assert "@" not in told
    for key in (world.alice_key, world.alice_key.removeprefix("sk_")):
        assert key not in told
    assert not re.search(r"whsec_|SELECT |VALUES ", told)


async def test_a_strangers_trace_is_linked_to_and_not_continued(scene: Scene) -> None:
    await scene.post("/bundles", order(), traceparent=STRANGERS)
    collector = scene.collector
    await collector.until(lambda: collector.has("createBundle"))
    root = collector.one("createBundle")
    assert root.parent == ""
    assert root.trace != "5" * 32
    assert root.links == ("5" * 32,)


async def test_a_trusted_proxys_trace_goes_on(
    installation: Installation, collector: Collector, conn: Connection
) -> None:
    world = await people_the_world(conn)
    program = await asyncio.to_thread(
        installation.serve, TOKPORTAL_TRUSTED_PROXIES="127.0.0.1", OTEL_SERVICE_NAME="ours"
    )
    scene = Scene(installation, program, collector, world)
    await scene.post("/bundles", order(), traceparent=STRANGERS)
    await collector.until(lambda: collector.has("createBundle"))
    root = collector.one("createBundle")
    assert (root.trace, root.parent) == ("5" * 32, "6" * 16)
    assert await asyncio.to_thread(program.stop) == 0


async def test_a_refusal_is_told_by_its_code_and_probes_are_left_out(scene: Scene) -> None:
    assert (await scene.post("/bundles", {"bundle_type": "none"})).status == 400
    await asyncio.to_thread(request, f"{scene.program.address}/readyz")
    await asyncio.to_thread(request, f"{scene.program.address}/metrics")
    await scene.post("/bundles", order())
    collector = scene.collector
    await collector.until(lambda: sum(s.name == "createBundle" for s in collector.spans) == 2)
    refused, made = (span for span in collector.spans if span.name == "createBundle")
    assert refused.attributes["tokportal.error_code"] == "VALIDATION_ERROR"
    assert not refused.failed
    assert "tokportal.error_code" not in made.attributes
    assert {span.name for span in collector.spans if span.kind == 2} == {"createBundle"}


async def test_a_collector_that_is_away_costs_nothing_but_spans(
    installation: Installation, conn: Connection, collector: Collector
) -> None:
    world = await people_the_world(conn)
    program = await asyncio.to_thread(
        installation.serve,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    scene = Scene(installation, program, collector, world)
    assert (await scene.post("/bundles", order())).status == 201
    assert await asyncio.to_thread(program.stop) == 0


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_sent_only_if_the_environment_names_a_receiver(
    environ: Mapping[str, str], *, asked: bool
) -> None:
    assert tracing.wanted(environ) is asked


def test_a_process_that_is_not_traced_has_nothing_of_it() -> None:
    assert tracing.span("anything") is tracing.NO_SPAN
    assert tracing.carried() is None
    assert tracing.ids() == {}
    assert not tracing.is_on()
