from __future__ import annotations

import asyncpg
import pytest

from tests.webhooks.receiver import Hang, Receiver, receiving
from tests.webhooks.rig import Rig
from tokportal_server.webhooks.claim import claim
from tokportal_server.webhooks.deliver import Deliverer
from tokportal_server.webhooks.record import Result, record
from tokportal_server.webhooks.sending import Claimed, Outcome

LAPSE = (
    "UPDATE webhook_deliveries SET lease_until = now() - interval '1 s'"
    " WHERE lease_token IS NOT NULL"
)
DONE = Outcome(error_class=None, duration_ms=1, response_status=200, response_body="late")


async def take(rig: Rig) -> list[Claimed]:
    """Claim what is due, as a worker that dies before it records."""
    async with rig.ports.database.connection() as conn:
        return [claimed for claimed, _ in await claim(conn, most=10)]


async def test_a_late_record_of_a_lapsed_lease_changes_nothing(
    rig: Rig, receiver: Receiver
) -> None:
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    [zombie] = await take(rig)
    await rig.execute(LAPSE)
    [successor] = await take(rig)
    assert successor.id == zombie.id
    before = await rig.deliveries()
    async with rig.ports.database.connection() as conn:
        assert await record(conn, [Result(zombie, DONE)]) == 0
        assert await rig.deliveries() == before
        assert (await rig.health(endpoint.id))["last_delivery_at"] is None
        assert await record(conn, [Result(successor, DONE)]) == 1
        # And once recorded, it cannot be recorded again.
        assert await record(conn, [Result(successor, DONE)]) == 0
    assert [row["status"] for row in await rig.deliveries()] == ["succeeded"]


@pytest.mark.hazard(19)
async def test_sends_again_with_the_same_id_after_a_crash_before_the_record(
    rig: Rig, receiver: Receiver
) -> None:
    await rig.endpoint(receiver.url)
    await rig.emit()
    doomed = Deliverer(rig.ports)
    await doomed.run_once()
    await receiver.got(1)
    # The worker is gone: nobody calls its next turn. Nothing happens before its lease ends.
    await rig.deliver()
    assert len(receiver.received) == 1
    await rig.execute(LAPSE)
    await rig.deliver()
    [first, second] = receiver.event_ids
    assert first == second
    [delivery] = await rig.deliveries()
    assert (delivery["status"], delivery["attempt"]) == ("succeeded", 2)
    # Its late record finds nothing to change.
    await doomed.drain()
    assert await rig.deliveries() == [delivery]


async def test_a_claim_counts_as_an_attempt_so_that_poison_ends(
    rig: Rig, receiver: Receiver
) -> None:
    await rig.endpoint(receiver.url)
    await rig.emit()
    attempts = []
    while taken := await take(rig):
        attempts += [claimed.attempt for claimed in taken]
        await rig.execute(LAPSE)
    assert attempts == list(range(1, 11))
    [delivery] = await rig.deliveries()
    assert (delivery["status"], delivery["error_class"]) == ("failed", "timeout")
    assert delivery["lease_token"] is None


async def test_a_lapsed_delivery_of_a_disabled_endpoint_is_skipped(
    rig: Rig, receiver: Receiver
) -> None:
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    await take(rig)
    await rig.switch(endpoint.id, enabled=False)
    await rig.execute(LAPSE)
    assert await take(rig) == []
    assert [row["status"] for row in await rig.deliveries()] == ["skipped_disabled"]


async def test_a_secret_moved_to_another_row_signs_nothing(rig: Rig, receiver: Receiver) -> None:
    first = await rig.endpoint(receiver.url)
    other = await rig.endpoint(receiver.url + "/other", events=["report.created"])
    await rig.execute(
        "UPDATE webhook_endpoints SET secret_sealed ="
        " (SELECT secret_sealed FROM webhook_endpoints WHERE id = $1) WHERE id = $2",
        other.id,
        first.id,
    )
    await rig.emit()
    await rig.deliver()
    assert receiver.received == []
    assert [row["status"] for row in await rig.deliveries()] == ["pending"]


async def test_what_could_not_be_recorded_is_recorded_at_the_next_turn(
    rig: Rig, receiver: Receiver
) -> None:
    await rig.endpoint(receiver.url)
    await rig.emit()
    await rig.deliverer.run_once()
    await receiver.got(1)
    await rig.execute("ALTER TABLE webhook_deliveries RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await rig.deliverer.drain()
    await rig.execute("ALTER TABLE away RENAME TO webhook_deliveries")
    await rig.deliver()
    assert len(receiver.received) == 1
    assert [row["status"] for row in await rig.deliveries()] == ["succeeded"]


async def test_deleting_an_endpoint_ends_what_is_in_flight(rig: Rig) -> None:
    hang = Hang()
    async with receiving(hang) as receiver:
        endpoint = await rig.endpoint(receiver.url)
        await rig.emit(7)
        await rig.deliverer.run_once()
        await receiver.got(5)
        await rig.delete(endpoint.id)
        hang.over.set()
        await rig.deliver()
        assert await rig.deliveries() == []
        assert len(receiver.received) == 5
