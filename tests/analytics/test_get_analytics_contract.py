"""``GET /analytics/contract``."""

from __future__ import annotations

from tests.analytics.collecting import SET_PLAN
from tests.cast import World
from tests.client import Client
from tokportal_server.analytics.observations import METRICS
from tokportal_server.lib.db import Connection


async def test_it_defines_every_metric(alice: Client) -> None:
    reply = await alice.get("/analytics/contract")

    assert reply.json["contract_version"] == reply.data["version"] == "v2"
    assert {m["name"] for m in reply.data["metrics"]} == {*METRICS, "engagement_rate"}
    assert all(m["unit"] and m["meaning"] and m["sources"] for m in reply.data["metrics"])
    kinds = {m["name"]: m["kind"] for m in reply.data["metrics"]}
    assert (kinds["followers"], kinds["views"]) == ("gauge", "cumulative counter")


async def test_what_it_lists_is_taken_elsewhere(
    alice: Client, conn: Connection, world: World
) -> None:
    await conn.execute(SET_PLAN, world.acme, "full")
    enums = (await alice.get("/analytics/contract")).data["enums"]

    for name in ("metric", "granularity", "mode"):
        for value in enums[f"series.{name}"]:
            reply = await alice.get("/analytics/series", params={name: value})
            assert reply.data[name] == value


async def test_it_says_what_the_plan_includes(
    alice: Client, conn: Connection, world: World
) -> None:
    for plan in ("starter", "creator", "full"):
        await conn.execute(SET_PLAN, world.acme, plan)
        data = (await alice.get("/analytics/contract")).data
        assert data["access"]["level"] == plan
        assert set(data["levels"]) == {"starter", "creator", "full"}
        assert data["freshness_targets"]["manual_cooldown_hours"] == 24
