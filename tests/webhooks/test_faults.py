"""The fault lab: what a rehearsal asks to go wrong does, so often, and only there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import tokportal

from tests.client import Client, Reply
from tests.webhooks.api import MALFORMED, UNKNOWN, created, dry_run
from tests.webhooks.receiver import Receiver
from tests.webhooks.rig import Rig
from tokportal_server.rehearsal.routes import BASE_PATH
from tokportal_server.webhooks.wire import CreatedWebhookEndpoint


async def ask(client: Client, endpoint_id: UUID | str, json: Any, **headers: str) -> Reply:
    """Ask for a fault."""
    path = f"/webhooks/{endpoint_id}/fault"
    return await client.call("PUT", path, json=json, base=BASE_PATH, headers=headers)


async def faulty(
    alice: Client, rig: Rig, receiver: Receiver, fault: str, deliveries: int
) -> CreatedWebhookEndpoint:
    """Make an endpoint with a fault in its next deliveries."""
    endpoint = await rig.endpoint(receiver.url)
    reply = await ask(alice, endpoint.id, {"fault": fault, "deliveries": deliveries})
    assert reply.data == {
        "endpoint_id": str(endpoint.id),
        "fault": fault,
        "deliveries": deliveries,
    }
    return endpoint


async def test_a_wrong_signature_verifies_with_no_secret_of_ours(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await faulty(alice, rig, receiver, "wrong_signature", 2)
    for _ in range(3):
        await rig.emit()
        await rig.deliver()
    verified = [
        tokportal.verify_webhook_signature(
            sent.body, sent.headers["TokPortal-Signature"], str(endpoint.signing_secret)
        )
        for sent in receiver.received
    ]
    assert verified == [False, False, True]


async def test_twice_comes_twice_with_one_id_and_both_are_logged(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    await faulty(alice, rig, receiver, "twice", 1)
    await rig.emit(2)
    await rig.deliver()
    assert len(receiver.received) == 3
    assert len(set(receiver.event_ids)) == 2
    attempts = sorted((row["attempt"], row["status"]) for row in await rig.deliveries())
    assert attempts == [(1, "succeeded"), (1, "succeeded"), (2, "succeeded")]


async def test_out_of_order_comes_after_what_follows_it(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    await faulty(alice, rig, receiver, "out_of_order", 1)
    await rig.emit()
    await rig.emit(2)
    await rig.deliver()
    await rig.advance(timedelta(seconds=31))
    await rig.deliver()
    assert [sent.event["data"]["sequence"] for sent in receiver.received][-1] == 1
    assert len(receiver.received) == 3


async def test_slow_takes_seconds_and_arrives_whole(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await faulty(alice, rig, receiver, "slow", 1)
    await rig.emit()
    await rig.deliver()
    [sent] = receiver.received
    assert tokportal.verify_webhook_signature(
        sent.body, sent.headers["TokPortal-Signature"], str(endpoint.signing_secret)
    )
    assert int(sent.headers["Content-Length"]) == len(sent.body)
    [row] = await rig.deliveries()
    assert row["status"] == "succeeded"
    assert row["duration_ms"] >= 4500


async def test_a_disabled_endpoint_uses_up_none_of_its_faults(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await faulty(alice, rig, receiver, "twice", 1)
    await alice.call("PATCH", f"/webhooks/{endpoint.id}", json={"enabled": False})
    await rig.emit()
    await alice.call("PATCH", f"/webhooks/{endpoint.id}", json={"enabled": True})
    await rig.emit()
    await rig.deliver()
    assert len(receiver.received) == 2
    assert len(set(receiver.event_ids)) == 1


async def test_a_wish_takes_the_place_of_the_one_before_and_none_ends_it(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await faulty(alice, rig, receiver, "out_of_order", 5)
    await ask(alice, endpoint.id, {"fault": "twice"})
    await rig.emit(2)
    faults = [row["fault"] for row in await rig.deliveries()]
    assert sorted(faults, key=str) == [None, "twice"]
    await ask(alice, endpoint.id, {"fault": "twice", "deliveries": 7})
    await ask(alice, endpoint.id, {"fault": "twice", "deliveries": 0})
    await rig.emit()
    assert [row["fault"] for row in await rig.deliveries()][-1] is None


async def test_deleting_the_endpoint_ends_it_too(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await faulty(alice, rig, receiver, "twice", 5)
    await rig.delete(endpoint.id)
    assert await rig.rows("SELECT * FROM webhook_faults") == []


async def test_real_workspaces_have_no_faults(charlie: Client) -> None:
    endpoint = await created(charlie)
    reply = await ask(charlie, endpoint["id"], {"fault": "twice"})
    assert (reply.status, reply.code) == (403, "NOT_A_REHEARSAL")


@pytest.mark.parametrize("endpoint_id", [MALFORMED, UNKNOWN])
async def test_does_not_know_an_id_that_names_nothing(alice: Client, endpoint_id: str) -> None:
    reply = await ask(alice, endpoint_id, {"fault": "twice"})
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


async def test_refuses_an_unknown_fault_and_a_dry_run_changes_nothing(
    alice: Client, rig: Rig
) -> None:
    endpoint = await created(alice)
    reply = await ask(alice, endpoint["id"], {"fault": "lost", "deliveries": 1001})
    assert set(reply.problems) == {"fault", "deliveries"}
    assert (await ask(alice, endpoint["id"], {"fault": "slow"}, **dry_run())).status == 200
    assert await rig.rows("SELECT * FROM webhook_faults") == []
