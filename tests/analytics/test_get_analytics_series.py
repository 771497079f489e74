"""``GET /analytics/series``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import NOON, SET_PLAN, an_account, collect, post, reading
from tests.cast import World
from tests.client import Client
from tokportal_server.lib.db import Connection

DAY = timedelta(days=1)
WEEK = {"from": "2026-11-18", "to": "2026-11-23"}


@pytest.fixture
async def accounts(conn: Connection, world: World) -> list[UUID]:
    """Two accounts, of which the second begins two days after the first and falls once."""
    await conn.execute(SET_PLAN, world.acme, "creator")
    first = await an_account(conn, world.acme)
    second = await an_account(conn, world.acme, username="acme.two")
    readings = [(first, 0, 100), (first, 1, 130), (second, 2, 50), (second, 3, 40), (first, 3, 150)]
    for account, day, views in readings:
        await collect(
            conn,
            world.acme,
            account,
            post("11111", views=views),
            profile=reading(followers=views // 10),
            at=NOON + (day - 1) * DAY,
            bootstrap=True,
        )
    return [first, second]


async def series(alice: Client, **query: Any) -> list[tuple[str, Any, int, int]]:
    data = (await alice.get("/analytics/series", params=WEEK | query)).data
    return [
        (p["date"][8:], p["value"], p["accounts_counted"], p["corrections"]) for p in data["points"]
    ]


@pytest.mark.usefixtures("accounts")
async def test_the_value_as_it_stands_carries_gaps_forward(alice: Client) -> None:
    assert await series(alice) == [
        ("18", None, 0, 0),
        ("19", 100, 1, 0),
        ("20", 130, 1, 0),
        ("21", 180, 2, 0),
        ("22", 190, 2, 10),
        ("23", 190, 2, 0),
    ]


@pytest.mark.usefixtures("accounts")
async def test_what_was_gained_is_never_negative_and_leaves_out_what_was_there(
    alice: Client,
) -> None:
    assert await series(alice, mode="gained") == [
        ("18", None, 0, 0),
        ("19", 0, 1, 0),
        ("20", 30, 1, 0),
        ("21", 0, 2, 0),
        ("22", 20, 2, 10),
        ("23", None, 2, 0),
    ]


@pytest.mark.usefixtures("accounts")
async def test_what_was_read_shows_gaps(alice: Client) -> None:
    assert await series(alice, mode="snapshot") == [
        ("18", None, 0, 0),
        ("19", 100, 1, 0),
        ("20", 130, 1, 0),
        ("21", 50, 1, 0),
        ("22", 190, 2, 10),
        ("23", None, 0, 0),
    ]


async def test_accounts_can_be_looked_at_alone(alice: Client, accounts: list[UUID]) -> None:
    alone = await series(alice, account=str(accounts[1]))
    both = await alice.get(
        f"/analytics/series?account={accounts[0]}&account={accounts[1]}&from=2026-11-18"
        "&to=2026-11-23"
    )

    assert [value for _, value, _, _ in alone] == [None, None, None, 50, 40, 40]
    assert [p["value"] for p in both.data["points"]] == [None, 100, 130, 180, 190, 190]


@pytest.mark.usefixtures("accounts")
async def test_followers_are_the_accounts_own(alice: Client) -> None:
    points = await series(alice, metric="followers")

    assert [value for _, value, _, _ in points] == [None, 10, 13, 18, 19, 19]


@pytest.mark.usefixtures("accounts")
async def test_weeks_begin_on_monday_and_may_be_cut_off(alice: Client) -> None:
    week = {"granularity": "week"}
    for mode, values in (("cumulative", [190, 190]), ("gained", [50, None])):
        points = await series(alice, **week, mode=mode)
        assert [(day, value) for day, value, _, _ in points] == [
            ("16", values[0]),
            ("23", values[1]),
        ]
    assert (await series(alice, **week))[0][3] == 10


@pytest.mark.usefixtures("accounts")
async def test_it_says_how_much_it_rests_on(alice: Client) -> None:
    data = (await alice.get("/analytics/series", params=WEEK)).data

    assert data["coverage"] == {
        "accounts_total": 2,
        "accounts_with_data": 2,
        "days_total": 6,
        "days_observed": 4,
        "first_day": "2026-11-19",
        "last_day": "2026-11-22",
    }
    assert data["metrics_meta"]["views"] == {
        "source": "simulator",
        "collected_at": "2026-11-22T12:00:00.000Z",
    }
    shares = (await alice.get("/analytics/series", params=WEEK | {"metric": "shares"})).data
    assert {p["value"] for p in shares["points"]} == {None}
    assert shares["metrics_meta"]["shares"]["reason"] == "not_supported"


@pytest.mark.usefixtures("accounts")
async def test_without_times_it_is_the_last_thirty_days(alice: Client) -> None:
    data = (await alice.get("/analytics/series")).data

    assert len(data["points"]) == 30
    assert (data["metric"], data["granularity"], data["mode"]) == ("views", "day", "cumulative")


@pytest.mark.usefixtures("accounts")
async def test_days_that_are_still_to_come_are_not_in_it(alice: Client) -> None:
    until = {"from": "2026-11-18", "to": "2027-03-01"}
    data = (await alice.get("/analytics/series", params=until)).data
    default = (await alice.get("/analytics/series")).data

    assert data["points"][-1]["date"] == default["points"][-1]["date"]


async def test_the_plan_starter_does_not_have_it(alice: Client) -> None:
    reply = await alice.get("/analytics/series")

    assert (reply.status, reply.code) == (403, "ANALYTICS_LEVEL_REQUIRED")
    assert reply.details == {"required_level": "creator", "current_level": "starter"}


@pytest.mark.usefixtures("accounts")
async def test_a_strangers_account_is_not_found(
    alice: Client, conn: Connection, world: World
) -> None:
    for account in (await an_account(conn, world.other), uuid4()):
        reply = await alice.get("/analytics/series", params={"account": str(account)})
        assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("metric=bookmarks", "metric"),
        ("granularity=month", "granularity"),
        ("mode=sum", "mode"),
        ("from=2026-11-02&to=2026-11-01", "from"),
        ("from=2025-01-01", "from"),
    ],
)
@pytest.mark.usefixtures("accounts")
async def test_what_is_none_is_named(alice: Client, query: str, field: str) -> None:
    reply = await alice.get(f"/analytics/series?{query}")

    assert (reply.status, list(reply.problems)) == (400, [field])
