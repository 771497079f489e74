from __future__ import annotations

import pytest

from tests.client import Client
from tests.webhooks.api import MALFORMED, UNKNOWN, created
from tests.webhooks.receiver import Receiver, answering
from tests.webhooks.rig import Rig


async def test_shows_each_attempt_with_what_came_of_it(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    receiver.behave = answering(500, text="broken")
    endpoint = await created(alice, url=receiver.url, events=["bundle.created"])
    await rig.emit()
    await rig.deliver()
    reply = await alice.get(f"/webhooks/{endpoint['id']}/deliveries")
    [waiting, failed] = reply.data
    assert (failed["status"], failed["success"], failed["attempt"]) == ("failed", False, 1)
    assert (failed["response_status"], failed["response_body"]) == (500, "broken")
    assert failed["error_class"] == "status"
    assert failed["event_id"] == receiver.event_ids[0] == waiting["event_id"]
    assert failed["url"] == receiver.url
    assert (waiting["status"], waiting["success"], waiting["attempt"]) == ("pending", None, 2)
    assert waiting["next_attempt_at"] == failed["next_attempt_at"]
    assert waiting["response_status"] is None
    assert reply.json["pagination"]["total"] == 2


async def test_filters_by_event_type_and_success(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await created(alice, url=receiver.url, events=["bundle.created", "report.created"])
    path = f"/webhooks/{endpoint['id']}/deliveries"
    await rig.emit()
    await rig.deliver()
    receiver.behave = answering(500)
    await rig.emit(event_type="report.created")
    await rig.deliver()

    async def listed(query: str) -> list[tuple[str, str]]:
        reply = await alice.get(f"{path}?{query}")
        assert reply.json["pagination"]["total"] == len(reply.data)
        return [(row["event_type"], row["status"]) for row in reply.data]

    assert await listed("success=true") == [("bundle.created", "succeeded")]
    assert await listed("success=false") == [("report.created", "failed")]
    assert await listed("event_type=bundle.created") == [("bundle.created", "succeeded")]
    assert len(await listed("event_type=report.created")) == 2
    assert await listed("event_type=bundle.created&success=false") == []


async def test_counts_what_was_skipped_as_no_success(alice: Client, rig: Rig) -> None:
    endpoint = await created(alice, events=["bundle.created"], enabled=False)
    await rig.emit()
    [row] = (await alice.get(f"/webhooks/{endpoint['id']}/deliveries?success=false")).data
    assert (row["status"], row["success"]) == ("skipped_disabled", False)


async def test_needs_a_key(nobody: Client) -> None:
    reply = await nobody.get(f"/webhooks/{UNKNOWN}/deliveries")
    assert (reply.status, reply.code) == (401, "AUTH_MISSING_KEY")


async def test_may_be_read_with_a_read_only_key(alice: Client, bob: Client) -> None:
    endpoint = await created(alice)
    assert (await bob.get(f"/webhooks/{endpoint['id']}/deliveries")).data == []


async def test_does_not_know_a_strangers_endpoint(alice: Client, charlie: Client) -> None:
    endpoint = await created(alice)
    reply = await charlie.get(f"/webhooks/{endpoint['id']}/deliveries")
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("endpoint_id", [MALFORMED, UNKNOWN])
async def test_does_not_know_an_id_that_names_nothing(alice: Client, endpoint_id: str) -> None:
    reply = await alice.get(f"/webhooks/{endpoint_id}/deliveries")
    assert (reply.status, reply.code) == (404, "WEBHOOK_ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("event_type=bundle.exploded", "VALIDATION_ERROR"),
        ("success=perhaps", "VALIDATION_ERROR"),
        ("status=failed", "UNKNOWN_PARAMETER"),
    ],
)
async def test_refuses_a_filter_that_makes_no_sense(alice: Client, query: str, code: str) -> None:
    reply = await alice.get(f"/webhooks/{UNKNOWN}/deliveries?{query}")
    assert (reply.status, reply.code) == (400, code)
