"""Listeners inside the product, and what owners are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.webhooks.receiver import Receiver, answering
from tests.webhooks.rig import Rig
from tokportal_server.entry.worker import LISTENERS
from tokportal_server.lib.jobs.runner import JobRunner
from tokportal_server.webhooks.catalogue import CATALOGUE
from tokportal_server.webhooks.dispatch import Dispatcher
from tokportal_server.webhooks.notices import NOTICE_JOB, NOTICED, NoticeListener

EXAMPLES = {entry.type: entry.example or {} for entry in CATALOGUE}
FOR_MANAGERS = {name for name in NOTICED if name.endswith("pending_corrections")}


async def notices(rig: Rig) -> list[Any]:
    """Give what people were told, in order."""
    return await rig.rows("SELECT * FROM notices ORDER BY told_at, subject")


async def run_jobs(rig: Rig) -> None:
    """Run what the dispatcher wanted, as a worker does."""
    listener = NoticeListener(rig.ports.database)
    await JobRunner(rig.ports.database, {NOTICE_JOB: listener.run}).drain()


@pytest.mark.parametrize("event_type", sorted(NOTICED - FOR_MANAGERS))
async def test_an_event_becomes_one_notice_for_the_owner(rig: Rig, event_type: str) -> None:
    rig.dispatcher = Dispatcher(rig.ports, LISTENERS)
    await rig.emit(event_type=event_type, data=EXAMPLES[event_type])
    await rig.emit(event_type="bundle.created")
    await run_jobs(rig)
    [notice] = await notices(rig)
    assert (notice["person_id"], notice["kind"]) == (rig.world.alice, event_type)
    assert notice["read_at"] is None
    assert "{" not in notice["text"]
    [event] = await rig.rows("SELECT * FROM events WHERE type = $1", event_type)
    assert (notice["subject"], notice["created_at"]) == (event["id"], event["created_at"])


async def test_a_job_is_wanted_in_the_transaction_that_fans_the_event_out(rig: Rig) -> None:
    rig.dispatcher = Dispatcher(rig.ports, LISTENERS)
    await rig.commit(event_type="credits.low", data=EXAMPLES["credits.low"])
    await rig.execute("ALTER TABLE pgqueuer RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await rig.dispatcher.run_once()
    assert len(await rig.rows("SELECT * FROM events WHERE dispatched_at IS NULL")) == 1
    await rig.execute("ALTER TABLE away RENAME TO pgqueuer")
    assert await rig.dispatcher.run_once() == 1
    assert len(await rig.rows("SELECT * FROM pgqueuer")) == 1


async def test_a_listener_that_runs_twice_tells_once(rig: Rig) -> None:
    rig.dispatcher = Dispatcher(rig.ports, LISTENERS)
    await rig.emit(event_type="credits.low", data=EXAMPLES["credits.low"])
    await rig.execute(
        "INSERT INTO pgqueuer (priority, entrypoint, payload, status)"
        " SELECT priority, entrypoint, payload, status FROM pgqueuer"
    )
    await run_jobs(rig)
    assert len(await notices(rig)) == 1


@pytest.mark.hazard(18)
async def test_owners_are_told_before_and_when_an_endpoint_is_disabled(
    rig: Rig, receiver: Receiver
) -> None:
    receiver.behave = answering(500)
    endpoint = await rig.endpoint(receiver.url)
    await rig.emit()
    for _ in range(6):
        await rig.deliver()
        await rig.advance(timedelta(days=1))
    assert not (await rig.health(endpoint.id))["enabled"]
    told = await notices(rig)
    assert [notice["kind"] for notice in told] == [
        "webhook_endpoint_failing",
        "webhook_endpoint_disabled",
    ]
    assert all(receiver.url in notice["text"] for notice in told)
    assert {notice["person_id"] for notice in told} == {rig.world.alice}
    warned, ended = (notice["created_at"] for notice in told)
    assert timedelta(days=2) < ended - warned < timedelta(days=4)


@pytest.mark.hazard(18)
async def test_sporadic_failures_are_no_reason_to_tell_anybody(
    rig: Rig, receiver: Receiver
) -> None:
    await rig.endpoint(receiver.url)
    for day in range(8):
        receiver.behave = answering(500 if day % 2 else 200)
        await rig.emit()
        await rig.advance(timedelta(days=1))
        await rig.deliver()
    assert await notices(rig) == []


async def test_a_later_run_of_failures_is_told_anew(rig: Rig, receiver: Receiver) -> None:
    endpoint = await rig.endpoint(receiver.url)
    for _ in range(2):
        receiver.behave = answering(410)
        await rig.emit()
        await rig.deliver()
        await rig.switch(endpoint.id, enabled=True)
        await rig.advance(timedelta(hours=1))
    assert [n["kind"] for n in await notices(rig)] == ["webhook_endpoint_disabled"] * 2
