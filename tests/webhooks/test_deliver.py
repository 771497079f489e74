from __future__ import annotations

import asyncio

import pytest
import tokportal
from aiohttp import web

from tests.webhooks.receiver import Hang, Received, Receiver, answering, receiving
from tests.webhooks.rig import Rig
from tokportal_server.webhooks.deliver import Deliverer


@pytest.mark.hazard(15)
async def test_sends_bytes_that_the_published_client_verifies(rig: Rig, receiver: Receiver) -> None:
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit(data={"text": 'a\u2028b "</script>" 𝄞 \t {{7*7}}'})
    await rig.deliver()
    [sent] = receiver.received
    signature = sent.headers["TokPortal-Signature"]
    secret = str(endpoint.signing_secret)
    assert tokportal.verify_webhook_signature(sent.body, signature, secret)
    assert not tokportal.verify_webhook_signature(sent.body + b" ", signature, secret)
    assert not tokportal.verify_webhook_signature(sent.body, signature, secret + "0")
    stale = int(signature.partition(",")[0].removeprefix("t=")) + 301
    assert not tokportal.verify_webhook_signature(sent.body, signature, secret, now=stale)
    [stored] = await rig.rows("SELECT body FROM webhook_payloads")
    assert sent.body == stored["body"]


async def test_names_the_event_in_its_headers(rig: Rig, receiver: Receiver) -> None:
    await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    [sent] = receiver.received
    assert sent.headers["TokPortal-Event-Id"] == sent.event["id"]
    assert sent.headers["TokPortal-Event-Type"] == sent.event["type"] == "bundle.created"
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["User-Agent"].startswith("tokportal-server/")


async def test_records_what_the_receiver_answered(rig: Rig, receiver: Receiver) -> None:
    receiver.behave = answering(202, text="thanks")
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    [delivery] = await rig.deliveries()
    assert delivery["status"] == "succeeded"
    assert (delivery["response_status"], delivery["response_body"]) == (202, "thanks")
    assert delivery["error_class"] is None
    assert delivery["next_attempt_at"] is None
    assert delivery["duration_ms"] >= 0
    health = await rig.health(endpoint.id)
    assert health["last_delivery_at"] is not None
    assert health["consecutive_failures"] == 0


@pytest.mark.hazard(17)
async def test_stores_at_most_two_kilobytes_of_any_answer(rig: Rig, receiver: Receiver) -> None:
    receiver.behave = answering(200, text="\0é" * 5000)
    await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    [delivery] = await rig.deliveries()
    assert delivery["status"] == "succeeded"
    assert 2000 < len(delivery["response_body"].encode()) <= 2048


async def test_signs_with_real_time_whatever_the_workspace_calls_now(
    rig: Rig, receiver: Receiver
) -> None:
    await rig.execute("UPDATE workspaces SET clock_offset = interval '90 days' WHERE rehearsal")
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    [sent] = receiver.received
    assert tokportal.verify_webhook_signature(
        sent.body, sent.headers["TokPortal-Signature"], str(endpoint.signing_secret)
    )


async def test_sends_to_the_url_that_the_endpoint_has_now(rig: Rig, receiver: Receiver) -> None:
    endpoint = await rig.endpoint("http://127.0.0.1:9/old")
    await rig.emit()
    await rig.execute(
        "UPDATE webhook_endpoints SET url = $2 WHERE id = $1", endpoint.id, receiver.url
    )
    await rig.deliver()
    assert len(receiver.received) == 1
    assert (await rig.deliveries())[0]["url"] == receiver.url


async def test_several_deliverers_send_each_event_once(rig: Rig, receiver: Receiver) -> None:
    await rig.endpoint(receiver.url)
    await rig.emit(120)
    workers = [Deliverer(rig.ports) for _ in range(3)]

    async def work(worker: Deliverer) -> None:
        for _ in range(2000):
            await worker.run_once()
            if len(receiver.received) >= 120:
                break
        await worker.drain()

    await asyncio.gather(*map(work, workers))
    assert sorted(receiver.event_ids) == sorted({row["event_id"] for row in await rig.deliveries()})
    assert {row["status"] for row in await rig.deliveries()} == {"succeeded"}


@pytest.mark.hazard(11)
async def test_has_at_most_five_in_flight_for_an_endpoint(rig: Rig) -> None:
    hang = Hang()
    async with receiving(hang) as receiver:
        await rig.endpoint(receiver.url)
        await rig.emit(20)
        other = Deliverer(rig.ports)
        for _ in range(5):
            await rig.deliverer.run_once()
            await other.run_once()
        assert rig.deliverer.in_flight + other.in_flight == 5
        assert len(await receiver.got(5)) == 5
        hang.over.set()
        await other.drain()
        await rig.deliver()
        assert len(receiver.received) == 20


@pytest.mark.hazard(11)
async def test_an_endpoint_that_hangs_delays_nobody(rig: Rig, receiver: Receiver) -> None:
    hang = Hang()
    async with receiving(hang) as stuck:
        await rig.endpoint(stuck.url)
        await rig.emit(300)
        await rig.deliverer.run_once()
        await stuck.got(5)
        await rig.endpoint(receiver.url)
        await rig.emit(30)
        while len(receiver.received) < 30:
            await rig.deliverer.run_once()
        # All of the others are through while those five still hang.
        assert rig.deliverer.in_flight >= 5
        assert len(stuck.received) == 5
        hang.over.set()
        await rig.deliver()


@pytest.mark.hazard(11)
async def test_with_little_room_serves_those_with_least_in_flight_first(
    rig: Rig, receiver: Receiver
) -> None:
    hang = Hang()
    async with receiving(hang) as greedy:
        await rig.endpoint(greedy.url)
        await rig.emit(50)
        await rig.endpoint(receiver.url)
        await rig.emit(1)
        narrow = Deliverer(rig.ports, max_in_flight=2)
        await narrow.run_once()
        await greedy.got(1)
        await receiver.got(1)
        assert len(greedy.received) == 1
        hang.over.set()
        await narrow.drain()


async def test_draining_records_what_is_in_flight_and_starts_nothing(rig: Rig) -> None:
    hang = Hang()
    async with receiving(hang) as receiver:
        await rig.endpoint(receiver.url)
        await rig.emit(8)
        await rig.deliverer.run_once()
        await receiver.got(5)
        hang.over.set()
        await rig.deliverer.drain()
        statuses = [row["status"] for row in await rig.deliveries()]
    assert sorted(statuses) == ["pending"] * 3 + ["succeeded"] * 5
    assert rig.deliverer.in_flight == 0


async def test_decides_successes_beside_a_failure_in_the_order_in_which_they_came(
    rig: Rig, receiver: Receiver
) -> None:
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit(3)
    answers = iter((500, 200, 500))

    async def in_turn(_: Received) -> web.Response:
        return web.Response(status=next(answers))

    receiver.behave = in_turn
    narrow = Deliverer(rig.ports, max_in_flight=1)
    while len(receiver.received) < 3:
        await narrow.run_once()
    await narrow.drain()
    statuses = [row["status"] for row in await rig.deliveries()]
    assert sorted(statuses) == ["failed", "failed", "pending", "pending", "succeeded"]
    # The success ended the first run of failures, and the last attempt began another.
    assert (await rig.health(endpoint.id))["consecutive_failures"] == 1
