from __future__ import annotations

from datetime import timedelta

import pytest

from tests.webhooks.receiver import Receiver, answering
from tests.webhooks.rig import Rig

PROBE = timedelta(seconds=61)


async def opened(rig: Rig, receiver: Receiver) -> None:
    """Let ten deliveries in a row fail, with twenty more waiting."""
    receiver.behave = answering(500)
    await rig.endpoint(receiver.url)
    await rig.emit(10)
    await rig.deliver()
    assert len(receiver.received) == 10
    await rig.emit(20)


@pytest.mark.hazard(14)
async def test_after_ten_failures_in_a_row_nothing_is_sent_for_a_while(
    rig: Rig, receiver: Receiver
) -> None:
    await opened(rig, receiver)
    await rig.deliver()
    assert len(receiver.received) == 10


@pytest.mark.hazard(14)
async def test_then_one_probe_at_a_time_and_what_waits_loses_no_attempts(
    rig: Rig, receiver: Receiver
) -> None:
    await opened(rig, receiver)
    for probes in range(1, 4):
        await rig.advance(PROBE)
        await rig.deliver()
        assert len(receiver.received) == 10 + probes
    attempts = [row["attempt"] for row in await rig.deliveries() if row["status"] == "pending"]
    # 30 events wait: three probes made one more attempt each, of whatever was due first.
    assert len(attempts) == 30
    assert sum(attempts) == 30 + 10 + 3


@pytest.mark.hazard(14)
async def test_a_probe_that_succeeds_closes_the_breaker(rig: Rig, receiver: Receiver) -> None:
    await opened(rig, receiver)
    receiver.behave = answering(200)
    await rig.advance(timedelta(hours=1))
    await rig.deliver()
    rows = await rig.deliveries()
    assert len([row for row in rows if row["status"] == "succeeded"]) == 30
    assert len(receiver.received) == 10 + 30
    assert len({row["event_id"] for row in rows}) == 30
    [health] = await rig.rows("SELECT * FROM webhook_endpoints")
    assert (health["consecutive_failures"], health["hold_until"]) == (0, None)


@pytest.mark.hazard(14)
async def test_a_probe_that_succeeds_goes_alone(rig: Rig, receiver: Receiver) -> None:
    await opened(rig, receiver)
    receiver.behave = answering(200)
    await rig.advance(PROBE)
    await rig.deliverer.run_once()
    assert rig.deliverer.in_flight == 1
    await rig.deliverer.drain()
    await rig.deliverer.run_once()
    assert rig.deliverer.in_flight == 5
