from __future__ import annotations

import asyncio

import asyncpg
import msgspec
import pytest

from tests.webhooks.rig import Rig
from tokportal_server.webhooks.dispatch import Dispatcher

URL = "http://127.0.0.1:9/{}"


async def test_writes_one_delivery_per_event_and_subscribed_endpoint(rig: Rig) -> None:
    first = await rig.endpoint(URL.format(1), events=["bundle.created", "video.published"])
    second = await rig.endpoint(URL.format(2), events=["bundle.created"])
    await rig.emit()
    await rig.emit(event_type="video.published")
    await rig.emit(event_type="credits.low")
    written = [(row["endpoint_id"], row["event_type"]) for row in await rig.deliveries()]
    assert written == [
        (first.id, "bundle.created"),
        (second.id, "bundle.created"),
        (first.id, "video.published"),
    ]


async def test_fixes_the_bytes_once_per_event_with_the_sequence(rig: Rig) -> None:
    for n in range(3):
        await rig.endpoint(URL.format(n))
    text = 'line\n"quoted" ünïcode 𝄞 \u2028 </script>'
    await rig.emit(data={"text": text, "bundle_id": None})
    [payload] = await rig.rows("SELECT * FROM webhook_payloads")
    envelope = msgspec.json.decode(payload["body"])
    [event] = await rig.rows("SELECT * FROM events")
    assert envelope["data"] == {"text": text, "bundle_id": None, "sequence": event["sequence"]}
    assert list(envelope) == ["id", "type", "api_version", "created_at", "data"]
    assert envelope["id"] == event["id"]
    assert envelope["api_version"] == "2026-05-25"


async def test_keeps_no_bytes_of_events_that_nobody_subscribed_to(rig: Rig) -> None:
    await rig.emit(3)
    assert await rig.rows("SELECT * FROM webhook_payloads") == []
    assert await rig.rows("SELECT * FROM events WHERE dispatched_at IS NULL") == []


async def test_tells_an_endpoint_of_nothing_that_was_before_it(rig: Rig) -> None:
    await rig.commit(2)
    await rig.endpoint(URL.format(1))
    await rig.emit()
    events = await rig.rows("SELECT id FROM events ORDER BY sequence")
    [delivery] = await rig.deliveries()
    assert [event["id"] for event in events].index(delivery["event_id"]) == 2


async def test_records_events_of_a_disabled_endpoint_as_skipped(rig: Rig) -> None:
    await rig.endpoint(URL.format(1), enabled=False)
    await rig.emit()
    [delivery] = await rig.deliveries()
    assert delivery["status"] == "skipped_disabled"
    assert delivery["finished_at"] is not None


async def test_never_tells_one_workspace_of_another(rig: Rig) -> None:
    await rig.endpoint(URL.format(1))
    await rig.execute("UPDATE webhook_endpoints SET workspace_id = $1", rig.world.other)
    await rig.emit()
    assert await rig.deliveries() == []


async def test_several_dispatchers_lose_and_double_nothing(rig: Rig) -> None:
    await rig.endpoint(URL.format(1))
    for _ in range(10):
        await rig.commit(100)
    dispatchers = [Dispatcher(rig.ports) for _ in range(4)]

    async def work(dispatcher: Dispatcher) -> None:
        while await dispatcher.run_once():
            pass

    await asyncio.gather(*map(work, dispatchers))
    # What one skipped because another held it is found at the next turn.
    await work(rig.dispatcher)
    written = [row["event_id"] for row in await rig.deliveries()]
    assert len(written) == len(set(written)) == 1000


async def test_a_failed_fan_out_leaves_the_events_waiting(rig: Rig) -> None:
    await rig.endpoint(URL.format(1))
    await rig.commit()
    await rig.execute("ALTER TABLE webhook_payloads RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError, match="webhook_payloads"):
        await rig.dispatcher.run_once()
    await rig.execute("ALTER TABLE away RENAME TO webhook_payloads")
    assert await rig.dispatcher.run_once() == 1
    assert len(await rig.deliveries()) == 1
