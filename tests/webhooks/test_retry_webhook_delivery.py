from __future__ import annotations

import asyncio
from typing import Any

import pytest
import tokportal

from tests.client import Client, Reply
from tests.webhooks.api import MALFORMED, UNKNOWN, created, dry_run
from tests.webhooks.receiver import Receiver, answering, second_over, signed_at
from tests.webhooks.rig import Rig


async def failed(alice: Client, rig: Rig, receiver: Receiver) -> tuple[dict[str, Any], str]:
    """Let one delivery fail; give its endpoint and the path that retries it."""
    receiver.behave = answering(500)
    endpoint = await created(alice, url=receiver.url, events=["bundle.created"])
    await rig.emit()
    await rig.deliver()
    rows = (await alice.get(f"/webhooks/{endpoint['id']}/deliveries?success=false")).data
    receiver.behave = answering(200)
    return endpoint, f"/webhooks/{endpoint['id']}/deliveries/{rows[0]['id']}/retry"


@pytest.mark.hazard(16)
async def test_sends_the_same_event_again_and_logs_the_attempt(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint, path = await failed(alice, rig, receiver)
    await second_over(receiver.received[0])
    told = (await alice.post(path)).data
    assert (told["success"], told["status"], told["attempt"]) == (True, "succeeded", 2)
    first, second = receiver.received
    assert first.event_id == second.event_id == told["event_id"]
    assert first.body == second.body
    assert signed_at(first) < signed_at(second)
    assert tokportal.verify_webhook_signature(
        second.body, second.headers["TokPortal-Signature"], endpoint["signing_secret"]
    )
    logged = (await alice.get(f"/webhooks/{endpoint['id']}/deliveries?success=true")).data
    assert logged == [told]


async def test_goes_to_the_url_that_the_endpoint_has_now(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint, path = await failed(alice, rig, receiver)
    moved = receiver.url + "/moved"
    await alice.call("PATCH", f"/webhooks/{endpoint['id']}", json={"url": moved})
    assert (await alice.post(path)).data["url"] == moved


async def test_sends_what_was_skipped_while_the_endpoint_was_disabled(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await created(alice, url=receiver.url, events=["bundle.created"], enabled=False)
    await rig.emit()
    [skipped] = (await alice.get(f"/webhooks/{endpoint['id']}/deliveries")).data
    path = f"/webhooks/{endpoint['id']}/deliveries/{skipped['id']}/retry"
    refused = await alice.post(path)
    assert (refused.status, refused.code) == (409, "WEBHOOK_ENDPOINT_DISABLED")
    assert receiver.received == []
    await alice.call("PATCH", f"/webhooks/{endpoint['id']}", json={"enabled": True})
    assert (await alice.post(path)).data["success"] is True
    assert receiver.event_ids == [skipped["event_id"]]


async def test_a_failure_is_an_answer_and_no_attempt_follows_it(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint, path = await failed(alice, rig, receiver)
    receiver.behave = answering(503, headers={"Retry-After": "3600"})
    reply = await alice.post(path)
    assert (reply.status, reply.data["success"], reply.data["next_attempt_at"]) == (
        200,
        False,
        None,
    )
    # The automatic attempt that waited still waits, and nothing holds the endpoint back.
    waiting = [row for row in await rig.deliveries() if row["status"] == "pending"]
    assert [(row["attempt"], row["manual"]) for row in waiting] == [(2, False)]
    shown = (await alice.get(f"/webhooks/{endpoint['id']}")).data
    assert shown["consecutive_failures"] == 1


@pytest.mark.hazard(16)
async def test_two_at_once_make_two_logged_attempts_with_the_same_event(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint, path = await failed(alice, rig, receiver)
    replies: list[Reply] = await asyncio.gather(*(alice.post(path) for _ in range(2)))
    assert [reply.data["success"] for reply in replies] == [True, True]
    assert sorted(reply.data["attempt"] for reply in replies) == [2, 3]
    assert len({reply.data["id"] for reply in replies}) == 2
    assert len(set(receiver.event_ids)) == 1
    reply = await alice.get(f"/webhooks/{endpoint['id']}/deliveries?success=true")
    assert reply.json["pagination"]["total"] == 2


@pytest.mark.parametrize("how", ["old", "gone"])
async def test_refuses_when_the_bytes_are_not_kept_any_more(
    alice: Client, rig: Rig, receiver: Receiver, how: str
) -> None:
    _, path = await failed(alice, rig, receiver)
    if how == "old":
        # Moving a row to another month moves it to another partition.
        await rig.execute(
            "UPDATE webhook_payloads SET recorded_at = now() - interval '30 days 1 minute'"
        )
    else:
        await rig.execute("DELETE FROM webhook_payloads")
    reply = await alice.post(path)
    assert (reply.status, reply.code) == (409, "WEBHOOK_PAYLOAD_UNAVAILABLE")


async def test_replays_under_one_key_and_sends_once(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    _, path = await failed(alice, rig, receiver)
    key = {"Idempotency-Key": "r-1"}
    first = await alice.post(path, headers=key)
    second = await alice.post(path, headers=key)
    assert second.body == first.body
    assert len(receiver.received) == 2


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.post(f"/webhooks/{UNKNOWN}/deliveries/{UNKNOWN}/retry")
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_refuses_a_read_only_key(
    alice: Client, bob: Client, rig: Rig, receiver: Receiver
) -> None:
    _, path = await failed(alice, rig, receiver)
    reply = await bob.post(path)
    assert (reply.status, reply.code) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_does_not_know_a_strangers_delivery(
    alice: Client, charlie: Client, rig: Rig, receiver: Receiver
) -> None:
    _, path = await failed(alice, rig, receiver)
    reply = await charlie.post(path)
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("delivery_id", [MALFORMED, UNKNOWN])
async def test_does_not_know_an_id_that_names_nothing(alice: Client, delivery_id: str) -> None:
    endpoint = await created(alice)
    reply = await alice.post(f"/webhooks/{endpoint['id']}/deliveries/{delivery_id}/retry")
    assert (reply.status, reply.code) == (404, "WEBHOOK_DELIVERY_NOT_FOUND")


async def test_does_not_know_a_delivery_of_another_endpoint(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint, path = await failed(alice, rig, receiver)
    other = await created(alice)
    reply = await alice.post(path.replace(endpoint["id"], other["id"]))
    assert (reply.status, reply.code) == (404, "WEBHOOK_DELIVERY_NOT_FOUND")


async def test_a_dry_run_checks_and_sends_nothing(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint, path = await failed(alice, rig, receiver)
    before = await rig.deliveries()
    reply = await alice.post(path, headers=dry_run())
    assert (reply.json["dry_run"], reply.data["status"]) == (True, "pending")
    assert reply.data["event_id"] == receiver.event_ids[0]
    assert await rig.deliveries() == before
    assert len(receiver.received) == 1
    await alice.call("PATCH", f"/webhooks/{endpoint['id']}", json={"enabled": False})
    refused = await alice.post(path, headers=dry_run())
    assert refused.code == "WEBHOOK_ENDPOINT_DISABLED"
