from __future__ import annotations

import asyncio

import pytest
import tokportal

from tests.client import Client
from tests.conftest import free_port
from tests.webhooks.api import MALFORMED, UNKNOWN, body, created, dry_run
from tests.webhooks.receiver import Hang, Receiver, answering, receiving
from tests.webhooks.rig import Rig
from tokportal_server.webhooks.deliver import Deliverer

LAPSE = """
UPDATE webhook_deliveries SET lease_until = now() - interval '1 s' WHERE lease_token IS NOT NULL;
UPDATE idempotency_keys SET lease_until = now(), expires_at = now() WHERE lease_token IS NOT NULL;
"""


async def test_sends_a_signed_test_event_and_answers_what_came_of_it(
    alice: Client, receiver: Receiver
) -> None:
    receiver.behave = answering(202, text="thanks")
    endpoint = await created(alice, url=receiver.url)
    reply = await alice.post(f"/webhooks/{endpoint['id']}/test")
    assert reply.status == 200
    told = reply.data
    assert (told["success"], told["status"], told["attempt"]) == (True, "succeeded", 1)
    assert (told["response_status"], told["response_body"]) == (202, "thanks")
    assert (told["event_type"], told["url"]) == ("webhook.test", receiver.url)
    [sent] = receiver.received
    assert sent.event_id == told["event_id"] == sent.event["id"]
    assert sent.event["data"]["endpoint_id"] == endpoint["id"]
    assert tokportal.verify_webhook_signature(
        sent.body, sent.headers["TokPortal-Signature"], endpoint["signing_secret"]
    )
    [logged] = (await alice.get(f"/webhooks/{endpoint['id']}/deliveries")).data
    assert logged == told


async def test_sends_even_when_disabled_and_to_nobody_else(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    async with receiving() as other:
        await created(alice, url=other.url, events=["webhook.test", "bundle.created"])
        endpoint = await created(alice, url=receiver.url, enabled=False)
        assert (await alice.post(f"/webhooks/{endpoint['id']}/test")).data["success"] is True
        await rig.emit(0)
        await rig.deliver()
        assert other.received == []
    assert len(receiver.received) == 1
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).data["enabled"] is False


async def test_a_failure_is_an_answer_and_no_attempt_follows(alice: Client, rig: Rig) -> None:
    endpoint = await created(alice, url=f"http://127.0.0.1:{free_port()}/")
    reply = await alice.post(f"/webhooks/{endpoint['id']}/test")
    assert (reply.status, reply.data["success"]) == (200, False)
    assert (reply.data["error_class"], reply.data["next_attempt_at"]) == ("refused", None)
    assert len(await rig.deliveries()) == 1
    shown = (await alice.get(f"/webhooks/{endpoint['id']}")).data
    assert (shown["enabled"], shown["consecutive_failures"]) == (True, 0)
    assert shown["last_delivery_at"] is not None


async def test_410_disables_here_too(alice: Client, receiver: Receiver) -> None:
    receiver.behave = answering(410)
    endpoint = await created(alice, url=receiver.url)
    await alice.post(f"/webhooks/{endpoint['id']}/test")
    shown = (await alice.get(f"/webhooks/{endpoint['id']}")).data
    assert (shown["enabled"], "410" in shown["disabled_reason"]) == (False, True)


async def test_a_success_ends_a_run_of_failures(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    receiver.behave = answering(500)
    endpoint = await created(alice, url=receiver.url)
    await rig.emit(2)
    await rig.deliver()
    receiver.behave = answering(200)
    await alice.post(f"/webhooks/{endpoint['id']}/test")
    assert (await alice.get(f"/webhooks/{endpoint['id']}")).data["consecutive_failures"] == 0


async def test_takes_a_number_of_the_workspaces_sequence(alice: Client, receiver: Receiver) -> None:
    endpoint = await created(alice, url=receiver.url)
    for _ in range(3):
        await alice.post(f"/webhooks/{endpoint['id']}/test")
    told = [sent.event["data"]["sequence"] for sent in receiver.received]
    assert told == [1, 2, 3]
    events = (await alice.get("/events")).data
    assert [(e["type"], e["data"]["sequence"]) for e in events] == [
        ("webhook.test", n) for n in told
    ]


async def test_replays_and_sends_once_under_one_key(alice: Client, receiver: Receiver) -> None:
    endpoint = await created(alice, url=receiver.url)
    path, key = f"/webhooks/{endpoint['id']}/test", {"Idempotency-Key": "t-1"}
    first = await alice.post(path, headers=key)
    second = await alice.post(path, headers=key)
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(receiver.received) == 1


async def test_a_broken_off_call_is_sent_again_as_the_same_event(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await created(alice, url=receiver.url)
    path, key = f"/webhooks/{endpoint['id']}/test", {"Idempotency-Key": "t-2"}
    # Nothing of the answer can be stored: the call fails after the receiver was told.
    await rig.execute(
        "ALTER TABLE webhook_endpoints ADD CONSTRAINT broken CHECK (last_delivery_at IS NULL)"
    )
    assert (await alice.post(path, headers=key)).status == 500
    await rig.execute("ALTER TABLE webhook_endpoints DROP CONSTRAINT broken")
    await rig.execute(LAPSE)
    again = (await alice.post(path, headers=key)).data
    assert len(receiver.received) == 2
    assert set(receiver.event_ids) == {again["event_id"]}
    assert again["attempt"] == 2
    # The lost attempt is not taken up by a worker; the log says that nobody saw it end.
    await Deliverer(rig.ports).run_once()
    log = [(row["attempt"], row["status"], row["error_class"]) for row in await rig.deliveries()]
    assert log == [(1, "failed", "timeout"), (2, "succeeded", None)]


async def test_no_worker_takes_up_a_test_that_is_being_made(alice: Client, rig: Rig) -> None:
    hang = Hang()
    async with receiving(hang) as receiver:
        endpoint = await created(alice, url=receiver.url)
        testing = asyncio.create_task(alice.post(f"/webhooks/{endpoint['id']}/test"))
        await receiver.got(1)
        assert await rig.deliverer.run_once() == 0
        hang.over.set()
        assert (await testing).data["success"] is True
        assert len(receiver.received) == 1


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.post(f"/webhooks/{UNKNOWN}/test")
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_refuses_a_read_only_key(alice: Client, bob: Client) -> None:
    endpoint = await created(alice)
    reply = await bob.post(f"/webhooks/{endpoint['id']}/test")
    assert (reply.status, reply.code) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_does_not_know_a_strangers_endpoint(
    alice: Client, charlie: Client, receiver: Receiver
) -> None:
    endpoint = await created(alice, url=receiver.url)
    reply = await charlie.post(f"/webhooks/{endpoint['id']}/test")
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")
    assert receiver.received == []


@pytest.mark.parametrize("endpoint_id", [MALFORMED, UNKNOWN])
async def test_does_not_know_an_id_that_names_nothing(alice: Client, endpoint_id: str) -> None:
    reply = await alice.post(f"/webhooks/{endpoint_id}/test")
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


async def test_a_dry_run_sends_nothing(alice: Client, rig: Rig, receiver: Receiver) -> None:
    endpoint = await created(alice, url=receiver.url)
    reply = await alice.post(f"/webhooks/{endpoint['id']}/test", headers=dry_run())
    assert (reply.status, reply.json["dry_run"]) == (200, True)
    assert (reply.data["success"], reply.data["status"]) == (None, "pending")
    assert receiver.received == []
    assert await rig.deliveries() == []
    assert await rig.rows("SELECT * FROM events") == []


async def test_a_dry_run_takes_the_id_of_an_imagined_endpoint(alice: Client) -> None:
    imagined = (await alice.post("/webhooks", body(), headers=dry_run())).data["id"]
    reply = await alice.post(f"/webhooks/{imagined}/test", headers=dry_run())
    assert set(reply.data.values()) == {None}
    live = await alice.post(f"/webhooks/{imagined}/test")
    assert (live.status, live.code) == (400, "DRY_RUN_ID_IN_LIVE_REQUEST")
