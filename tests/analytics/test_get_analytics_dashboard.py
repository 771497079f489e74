"""``GET /analytics``."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import NOON, SET_PLAN, an_account, collect, post, reading
from tests.cast import World
from tests.client import Client
from tokportal_server.lib.db import Connection

DAY = timedelta(days=1)


@pytest.fixture
async def accounts(conn: Connection, world: World) -> list[UUID]:
    """Two accounts with numbers, in the USA and in France, and one without."""
    first = await an_account(conn, world.acme)
    french = await an_account(
        conn, world.acme, platform="instagram", country="FR", username="acme.fr"
    )
    empty = await an_account(conn, world.acme, username="acme.new")
    await collect(
        conn,
        world.acme,
        first,
        post("11111", views=100, likes=6, comments=3, shares=1, bookmarks=0),
        post("22222", views=900, published_at=NOON - 40 * DAY),
        profile=reading(followers=40),
        bootstrap=True,
    )
    await collect(
        conn,
        world.acme,
        french,
        post("33333", views=300, likes=30, comments=0, shares=0),
        profile=reading(followers=7, following=1),
        at=NOON + DAY,
        source="manual",
        bootstrap=True,
    )
    return [first, french, empty]


async def test_totals_add_up_what_is_known(alice: Client, accounts: list[UUID]) -> None:
    data = (await alice.get("/analytics")).data

    totals = data["totals"]
    assert (totals["account_count"], totals["tracked_posts"]) == (3, 3)
    assert (totals["views"], totals["likes"], totals["followers"]) == (1300, 36, 47)
    # The post whose likes nobody knows takes no part in the rate.
    assert totals["engagement_rate"] == pytest.approx(100 * 40 / 400)
    assert totals["metrics_meta"]["views"] == {
        "source": "mixed",
        "collected_at": "2026-11-20T12:00:00.000Z",
    }
    assert totals["metrics_meta"]["bookmarks"]["source"] == "simulator"
    assert [UUID(a["account_id"]) for a in data["accounts"]] == accounts


async def test_what_was_never_collected_is_null_with_its_reason(
    alice: Client, accounts: list[UUID]
) -> None:
    data = (await alice.get("/analytics", params={"account": str(accounts[2])})).data

    for numbers in (data["totals"], data["accounts"][0]):
        for metric in ("views", "likes", "followers", "engagement_rate"):
            assert numbers[metric] is None
            assert numbers["metrics_meta"][metric]["reason"] == "not_yet"
    assert data["top_posts"] == []
    assert data["freshness"]["accounts_never_collected"] == 1


async def test_a_metric_that_no_source_gives_says_so(alice: Client, accounts: list[UUID]) -> None:
    data = (await alice.get("/analytics", params={"account": str(accounts[1])})).data

    assert data["totals"]["bookmarks"] is None
    assert data["totals"]["metrics_meta"]["bookmarks"] == {
        "source": "manual",
        "collected_at": "2026-11-21T12:00:00.000Z",
        "reason": "not_supported",
    }


async def test_filters_narrow_each_other_and_widen_themselves(
    alice: Client, accounts: list[UUID]
) -> None:
    expected = [
        ("platform=tiktok", 2),
        ("platform=tiktok&platform=instagram", 3),
        ("country=France", 1),
        ("country=fr&country=US", 3),
        ("country=FR&platform=tiktok", 0),
        ("country=Atlantis", 0),
        (f"account={accounts[0]}&account={accounts[2]}", 2),
    ]
    for query, count in expected:
        data = (await alice.get(f"/analytics?{query}")).data
        assert (query, data["totals"]["account_count"]) == (query, count)
        assert len(data["accounts"]) == count
        assert data["facets"]["platforms"] == [
            {"value": "instagram", "account_count": 1},
            {"value": "tiktok", "account_count": 2},
        ]


@pytest.mark.usefixtures("accounts")
async def test_a_period_is_about_posts_that_were_published_in_it(alice: Client) -> None:
    query = {"from": "2026-11-01", "to": "2026-11-23"}
    data = (await alice.get("/analytics", params=query)).data

    assert (data["totals"]["views"], data["totals"]["tracked_posts"]) == (400, 2)
    assert data["totals"]["followers"] == 47
    assert [p["views"] for p in data["top_posts"]] == [300, 100]
    assert [a["views"] for a in data["accounts"]] == [300, 100, None]


@pytest.mark.usefixtures("accounts")
async def test_top_posts_and_audience_are_sorted(alice: Client) -> None:
    data = (await alice.get("/analytics")).data

    assert [p["views"] for p in data["top_posts"]] == [900, 300, 100]
    assert data["audience"]["followers"] == 47
    assert data["audience"]["by_country"] == [
        {"value": "USA", "account_count": 2, "followers": 40},
        {"value": "FR", "account_count": 1, "followers": 7},
    ]
    assert data["audience"]["metrics_meta"]["demographics"]["reason"] == "not_supported"


@pytest.mark.usefixtures("accounts")
async def test_every_plan_has_it_and_is_told_what_it_has(
    alice: Client, conn: Connection, world: World
) -> None:
    for plan, reason in (("starter", True), ("creator", True), ("full", False)):
        await conn.execute(SET_PLAN, world.acme, plan)
        reply = await alice.get("/analytics")
        assert reply.json["contract_version"] == "v2"
        assert reply.data["tier"] == plan
        access = reply.data["access"]
        assert (access["level"], access["planTier"]) == (plan, plan)
        assert (access["reason"] is not None) == reason


async def test_others_workspaces_and_accounts_are_not_found(
    alice: Client, conn: Connection, world: World
) -> None:
    theirs = await an_account(conn, world.other)
    own = await alice.get("/analytics", params={"workspace": str(world.acme)})
    assert own.data["totals"]["account_count"] == 0

    for workspace in (world.other, uuid4()):
        reply = await alice.get("/analytics", params={"workspace": str(workspace)})
        assert (reply.status, reply.code) == (404, "ANALYTICS_NOT_FOUND")
    for account in (theirs, uuid4()):
        reply = await alice.get("/analytics", params={"account": str(account)})
        assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("account=x", "account[0]"),
        ("workspace=x", "workspace"),
        ("workspace=a&workspace=b", "workspace"),
        ("from=2026-11-31", "from"),
        ("from=2026-11-02&to=2026-11-01", "from"),
        ("from=2025-01-01&to=2026-11-01", "from"),
        ("to=yesterday", "to"),
    ],
)
async def test_what_cannot_be_read_is_named(alice: Client, query: str, field: str) -> None:
    reply = await alice.get(f"/analytics?{query}")

    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert list(reply.problems) == [field]


@pytest.mark.usefixtures("accounts")
async def test_ages_are_told(alice: Client) -> None:
    freshness = (await alice.get("/analytics")).data["freshness"]

    assert freshness["newest_collected_at"] == "2026-11-21T12:00:00.000Z"
    assert freshness["oldest_collected_at"] == "2026-11-20T12:00:00.000Z"
    assert freshness["accounts_stale"] == 2
    assert freshness["accounts_never_collected"] == 1
