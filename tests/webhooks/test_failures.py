from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
import tokportal

from tests.conftest import free_port
from tests.webhooks.receiver import Receiver, answering, second_over, signed_at
from tests.webhooks.rig import Rig
from tokportal_server.lib.clock import real_now
from tokportal_server.webhooks.schedule import DELAYS

HOUR = timedelta(hours=1)


@pytest.mark.hazard(12)
async def test_follows_the_schedule_on_the_workspace_clock_and_ends_after_ten(
    rig: Rig, receiver: Receiver
) -> None:
    receiver.behave = answering(500, text="no")
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    for _ in range(9):
        await rig.deliver()
        await rig.become_due()
        # The breaker has its own test; here only the schedule counts.
        await rig.execute("UPDATE webhook_endpoints SET first_failure_at = NULL")
    await rig.deliver()
    rows = await rig.deliveries()
    assert [row["attempt"] for row in rows] == list(range(1, 11))
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["error_class"] for row in rows} == {"status"}
    for row, delay in zip(rows, DELAYS, strict=False):
        wait = row["next_attempt_at"] - row["finished_at"]
        assert delay * 0.8 <= wait <= delay * 1.2
    assert rows[-1]["next_attempt_at"] is None
    for earlier, later in pairwise(rows):
        assert later["due_at"] == earlier["next_attempt_at"]
    assert len(receiver.received) == 10
    assert len(set(receiver.event_ids)) == 1
    assert len({sent.body for sent in receiver.received}) == 1
    assert (await rig.health(endpoint.id))["consecutive_failures"] == 10


@pytest.mark.hazard(16)
async def test_signs_each_attempt_afresh(rig: Rig, receiver: Receiver) -> None:
    receiver.behave = answering(500)
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    await rig.become_due()
    [first] = receiver.received
    await second_over(first)
    await rig.deliver()
    [_, second] = receiver.received
    assert (second.event_id, second.body) == (first.event_id, first.body)
    assert signed_at(second) > signed_at(first)
    for sent in receiver.received:
        assert tokportal.verify_webhook_signature(
            sent.body, sent.headers["TokPortal-Signature"], str(endpoint.signing_secret)
        )


async def test_waits_until_the_next_attempt_is_due(rig: Rig, receiver: Receiver) -> None:
    receiver.behave = answering(500)
    await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    await rig.deliver()
    assert len(receiver.received) == 1


@pytest.mark.hazard(12)
@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7200", 2 * HOUR, 2 * HOUR),
        ("-7200", timedelta(seconds=4), timedelta(seconds=6)),
        ("315360000", 24 * HOUR, 24 * HOUR),
        ("date", timedelta(minutes=59), HOUR),
    ],
)
async def test_honours_retry_after_up_to_a_day(
    rig: Rig, receiver: Receiver, header: str, least: timedelta, most: timedelta
) -> None:
    value = format_datetime(real_now() + HOUR, usegmt=True) if header == "date" else header
    receiver.behave = answering(429, headers={"Retry-After": value})
    await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    [failed, waiting] = await rig.deliveries()
    assert least <= failed["next_attempt_at"] - failed["finished_at"] <= most
    assert waiting["due_at"] == failed["next_attempt_at"]


@pytest.mark.hazard(13)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_throttling_receiver_holds_back_its_own_endpoint_alone(
    rig: Rig, receiver: Receiver, status: int
) -> None:
    receiver.behave = answering(status, headers={"Retry-After": "3600"})
    throttled = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    receiver.behave = answering(200)
    free = await rig.endpoint(receiver.url + "/other")
    await rig.emit(3)
    await rig.deliver()
    assert len(receiver.received) == 1 + 3
    waiting = [row for row in await rig.deliveries() if row["status"] == "pending"]
    assert {row["endpoint_id"] for row in waiting} == {throttled.id}
    # Those three were not tried, and have lost nothing.
    assert sorted(row["attempt"] for row in waiting) == [1, 1, 1, 2]
    await rig.advance(HOUR)
    await rig.deliver()
    assert len(receiver.received) == 4 + 4
    assert (await rig.health(free.id))["consecutive_failures"] == 0


@pytest.mark.hazard(13)
@pytest.mark.parametrize("status", [301, 302, 307, 308, 304, 400, 404, 500])
async def test_anything_but_2xx_is_a_failure(rig: Rig, receiver: Receiver, status: int) -> None:
    receiver.behave = answering(status, headers={"Location": receiver.url + "/elsewhere"})
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    [failed, waiting] = await rig.deliveries()
    assert (failed["status"], failed["error_class"]) == ("failed", "status")
    assert failed["response_status"] == status
    assert (waiting["status"], waiting["attempt"]) == ("pending", 2)
    # A redirect was not followed.
    assert len(receiver.received) == 1
    assert (await rig.health(endpoint.id))["enabled"]


async def test_a_refused_connection_is_a_failure_without_an_answer(rig: Rig) -> None:
    await rig.endpoint(f"http://127.0.0.1:{free_port()}/hooks")
    await rig.emit()
    await rig.deliver()
    failed = (await rig.deliveries())[0]
    assert (failed["status"], failed["error_class"]) == ("failed", "refused")
    assert (failed["response_status"], failed["response_body"]) == (None, None)


async def test_an_address_that_became_private_is_blocked(rig: Rig) -> None:
    await rig.endpoint("http://127.0.0.1:9/hooks")
    await rig.execute("UPDATE webhook_endpoints SET url = 'https://10.0.0.1/hooks'")
    await rig.emit()
    await rig.deliver()
    assert (await rig.deliveries())[0]["error_class"] == "blocked"


@pytest.mark.hazard(13)
async def test_410_switches_the_endpoint_off_at_once(rig: Rig, receiver: Receiver) -> None:
    endpoint = await rig.endpoint(receiver.url)
    receiver.behave = answering(410)
    await rig.emit(8)
    await rig.deliverer.run_once()
    await rig.deliverer.drain()
    await rig.deliver()
    health = await rig.health(endpoint.id)
    assert not health["enabled"]
    assert "410" in health["disabled_reason"]
    rows = await rig.deliveries()
    # Five were in flight; what waited is recorded and not sent; nothing follows.
    assert sorted(row["status"] for row in rows) == ["failed"] * 5 + ["skipped_disabled"] * 3
    assert {row["next_attempt_at"] for row in rows} == {None}
    assert len(receiver.received) == 5
    [entry] = await rig.rows("SELECT * FROM journal WHERE to_status = 'disabled'")
    assert (entry["object_id"], entry["actor_kind"]) == (endpoint.id, "system")
    assert entry["reason"] == health["disabled_reason"]


@pytest.mark.hazard(18)
async def test_five_days_of_nothing_but_failure_switch_the_endpoint_off(
    rig: Rig, receiver: Receiver
) -> None:
    receiver.behave = answering(500)
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    await rig.advance(timedelta(days=4, hours=23))
    await rig.deliver()
    assert (await rig.health(endpoint.id))["enabled"]
    await rig.advance(timedelta(hours=2))
    await rig.deliver()
    health = await rig.health(endpoint.id)
    assert not health["enabled"]
    assert health["disabled_reason"] == "no delivery succeeded for 5 days"
    assert "pending" not in {row["status"] for row in await rig.deliveries()}


@pytest.mark.hazard(18)
async def test_one_success_in_between_starts_the_five_days_anew(
    rig: Rig, receiver: Receiver
) -> None:
    endpoint = await rig.endpoint(receiver.url)
    for days in range(8):
        receiver.behave = answering(200 if days % 2 else 500)
        await rig.emit()
        await rig.advance(timedelta(days=1))
        await rig.deliver()
    assert (await rig.health(endpoint.id))["enabled"]


async def test_enabling_again_clears_the_failures_and_resends_nothing(
    rig: Rig, receiver: Receiver
) -> None:
    receiver.behave = answering(410)
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliver()
    await rig.emit(2)
    receiver.behave = answering(200)
    await rig.switch(endpoint.id, enabled=True)
    await rig.advance(timedelta(days=3))
    await rig.deliver()
    assert len(receiver.received) == 1
    health = await rig.health(endpoint.id)
    assert (health["consecutive_failures"], health["disabled_reason"]) == (0, None)
    assert (health["first_failure_at"], health["hold_until"]) == (None, None)
    await rig.emit()
    await rig.deliver()
    assert len(receiver.received) == 2


async def test_disabling_skips_what_waits(rig: Rig, receiver: Receiver) -> None:
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit(3)
    await rig.switch(endpoint.id, enabled=False)
    await rig.deliver()
    assert {row["status"] for row in await rig.deliveries()} == {"skipped_disabled"}
    assert receiver.received == []
