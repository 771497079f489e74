"""``GET /analytics/accounts/{id}`` and ``GET /accounts/{id}/analytics``."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.analytics.collecting import SET_PLAN, an_account, collect, post, reading
from tests.cast import World
from tests.client import Client
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection

DAY = timedelta(days=1)


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account that was read twenty days ago, three days ago, and today."""
    made = await an_account(conn, world.acme)
    now = real_now()
    for days, views in ((20, 100), (3, 160), (0, 150)):
        await collect(
            conn,
            world.acme,
            made,
            post("11111", published_at=now - 21 * DAY, views=views, likes=6, comments=3, shares=1),
            post("22222", published_at=now - 14 * DAY, views=0, likes=0, comments=0, shares=0),
            profile=reading(followers=40 - days),
            at=now - days * DAY,
            bootstrap=True,
        )
    return made


async def test_it_shows_deltas_of_seven_and_thirty_days(
    alice: Client, conn: Connection, world: World, account: UUID
) -> None:
    await conn.execute(SET_PLAN, world.acme, "creator")
    data = (await alice.get(f"/analytics/accounts/{account}")).data

    assert data["latest"]["views"] == 150
    assert data["deltas"]["last_7_days"]["views"] == 60 - 10
    assert data["deltas"]["last_30_days"]["followers"] == 20
    assert data["deltas"]["last_7_days"]["bookmarks"] is None
    assert [s["metric"] for s in data["series"]] == ["views", "views", "followers"]
    assert data["series"][0]["points"][-1]["value"] == 150
    assert [p["views"] for p in data["top_posts"]] == [150, 0]
    assert data["freshness"]["accounts_stale"] == 0


async def test_below_the_plan_creator_its_deltas_and_series_are_null_with_the_reason(
    alice: Client, account: UUID
) -> None:
    data = (await alice.get(f"/analytics/accounts/{account}")).data

    assert (data["deltas"], data["series"]) == (None, None)
    for part in ("deltas", "series"):
        assert data["metrics_meta"][part]["reason"] == "plan_level"
    assert data["latest"]["views"] == 150
    assert data["access"]["level"] == "starter"


async def test_an_account_that_was_never_read_has_nulls(
    alice: Client, conn: Connection, world: World
) -> None:
    await conn.execute(SET_PLAN, world.acme, "full")
    empty = await an_account(conn, world.acme, username="acme.new")
    data = (await alice.get(f"/analytics/accounts/{empty}")).data

    assert data["latest"]["followers"] is None
    assert set(data["deltas"]["last_30_days"].values()) == {None}
    assert data["metrics_meta"]["followers"] == {
        "source": None,
        "collected_at": None,
        "reason": "not_yet",
    }


async def test_older_clients_see_sums_and_averages(alice: Client, account: UUID) -> None:
    data = (await alice.get(f"/accounts/{account}/analytics")).data

    assert data["followers_count"] == 40
    assert data["following_count"] is None
    assert (data["total_videos_tracked"], data["total_views"], data["total_likes"]) == (2, 150, 6)
    assert data["average_engagement_rate"] == pytest.approx(100 * 10 / 150)
    assert data["average_video_views"] == pytest.approx(75)
    assert data["weekly_post_average"] == pytest.approx(2 / 3, rel=0.01)
    assert data["metrics_meta"]["following_count"]["reason"] == "not_supported"


async def test_before_the_first_snapshot_older_clients_find_nothing(
    alice: Client, conn: Connection, world: World
) -> None:
    empty = await an_account(conn, world.acme)
    reply = await alice.get(f"/accounts/{empty}/analytics")

    assert (reply.status, reply.code) == (404, "ANALYTICS_NOT_FOUND")


async def test_a_strangers_account_is_not_found(charlie: Client, account: UUID) -> None:
    for path in (f"/analytics/accounts/{account}", f"/accounts/{account}/analytics"):
        reply = await charlie.get(path)
        assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
