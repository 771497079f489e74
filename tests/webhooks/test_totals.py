"""The tallies of the delivery log are what counting would give, whoever wrote it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.client import Client
from tests.webhooks.receiver import Receiver, answering
from tests.webhooks.rig import Rig
from tokportal_server.webhooks.retention import FOLD_TALLIES

COUNTED = """
SELECT endpoint_id, event_type, status, count(*) AS n FROM webhook_deliveries
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
TALLIED = """
SELECT endpoint_id, event_type, status, sum(n)::bigint AS n FROM webhook_tallies
 GROUP BY 1, 2, 3 HAVING sum(n) <> 0 ORDER BY 1, 2, 3
"""


async def same(rig: Rig) -> int:
    """Hold the tallies against the log; give how many attempts there are."""
    counted = await rig.rows(COUNTED)
    assert await rig.rows(TALLIED) == counted
    return sum(row["n"] for row in counted)


async def test_follow_every_kind_of_change(rig: Rig, receiver: Receiver) -> None:
    receiver.behave = answering(500)
    first = await rig.endpoint(receiver.url, events=["bundle.created", "report.created"])
    second = await rig.endpoint(receiver.url + "/2")
    await rig.endpoint(receiver.url + "/3", enabled=False)
    await rig.emit(4)
    await rig.emit(2, event_type="report.created")
    assert await same(rig) == 4 * 3 + 2
    await rig.deliver()
    assert await same(rig) > 14
    receiver.behave = answering(410)
    await rig.advance(timedelta(hours=2))
    await rig.deliver()
    assert not (await rig.health(first.id))["enabled"]
    await same(rig)
    await rig.emit(3)
    await rig.delete(second.id)
    assert await same(rig) > 14


async def test_stay_the_same_when_folded_while_others_write(rig: Rig, receiver: Receiver) -> None:
    await rig.endpoint(receiver.url)

    async def write() -> None:
        for _ in range(10):
            await rig.emit(3)
            await rig.deliver()

    async def fold() -> None:
        for _ in range(20):
            await rig.rows(FOLD_TALLIES, 2)

    await asyncio.gather(write(), fold(), fold())
    assert await same(rig) == 30
    [folded] = await rig.rows(FOLD_TALLIES, 1)
    assert folded[0] >= 0
    assert len(await rig.rows("SELECT * FROM webhook_tallies")) == 1
    assert await same(rig) == 30


async def test_give_the_totals_of_the_list_for_each_filter(
    alice: Client, rig: Rig, receiver: Receiver
) -> None:
    endpoint = await rig.endpoint(receiver.url, events=["bundle.created", "report.created"])
    await rig.emit(3)
    await rig.deliver()
    receiver.behave = answering(500)
    await rig.emit(2, event_type="report.created")
    await rig.deliver()
    totals = {}
    for query in (
        "",
        "success=true",
        "success=false",
        "event_type=report.created",
        "event_type=bundle.created&success=true",
        "event_type=bundle.created&success=false",
    ):
        reply = await alice.get(f"/webhooks/{endpoint.id}/deliveries?per_page=1&{query}")
        totals[query] = reply.json["pagination"]["total"]
        assert len(reply.data) == min(1, totals[query])
    assert list(totals.values()) == [7, 3, 2, 4, 3, 0]
