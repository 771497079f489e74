"""``GET /accounts/{id}/analytics/videos`` and ``GET /videos/{id}/analytics``."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import NOON, a_post, an_account, collect, measured, post
from tests.cast import World
from tests.client import Client
from tests.orders.walk import ordered, workable
from tokportal_server.lib.db import Connection
from tokportal_server.lib.ports import Ports

DAY = timedelta(days=1)


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account with three posts that were read and one that was not."""
    made = await an_account(conn, world.acme)
    await collect(
        conn,
        world.acme,
        made,
        post("11111", published_at=NOON, views=100, likes=5, comments=5, shares=0),
        post("22222", published_at=NOON - DAY, views=900, likes=9, comments=0, shares=0),
        post("33333", published_at=NOON - 2 * DAY, views=0, likes=1, comments=0, shares=7),
        bootstrap=True,
    )
    await a_post(conn, world.acme, made, "44444", published_at=NOON - 3 * DAY)
    return made


async def names(alice: Client, account: UUID, query: str) -> list[str]:
    reply = await alice.get(f"/accounts/{account}/analytics/videos?{query}")
    return [str(row["platform_url"])[-1] for row in reply.data]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "1234"),
        ("sort_order=asc", "4321"),
        ("sort_by=views", "2134"),
        ("sort_by=views&sort_order=asc", "3124"),
        ("sort_by=shares", "3214"),
        ("sort_by=engagement_rate", "1243"),
        ("sort_by=engagement_rate&sort_order=asc", "2143"),
        ("per_page=3&page=2", "4"),
        ("page=9", ""),
    ],
)
async def test_it_is_sorted_as_asked_and_the_unknown_comes_last(
    alice: Client, account: UUID, query: str, expected: str
) -> None:
    assert "".join(await names(alice, account, query)) == expected


async def test_rows_say_what_is_known_and_why_not(alice: Client, account: UUID) -> None:
    reply = await alice.get(f"/accounts/{account}/analytics/videos")
    best, _, unseen, unread = reply.data

    assert reply.json["pagination"]["total"] == 4
    assert best["engagement_rate"] == pytest.approx(10)
    assert (best["bookmarks"], best["metrics_meta"]["bookmarks"]["reason"]) == (
        None,
        "not_supported",
    )
    assert unseen["views"] == 0
    assert (unseen["engagement_rate"], unseen["metrics_meta"]["engagement_rate"]["reason"]) == (
        None,
        "not_yet",
    )
    assert (unread["views"], unread["source"], unread["collected_at"]) == (None, None, None)
    assert unread["metrics_meta"]["views"]["reason"] == "not_yet"


async def test_one_video_has_the_row_of_its_slot(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    found = await measured(alice, conn, world, ports)
    row = (await alice.get(f"/videos/{found.slot}/analytics")).data

    assert (row["video_id"], row["tracked_post_id"]) == (str(found.slot), str(found.post))
    assert (row["views"], row["engagement_rate"]) == (200, 5)
    [listed] = (await alice.get(f"/accounts/{found.account}/analytics/videos")).data
    assert listed == row


async def test_a_video_that_is_not_posted_has_none_and_its_status_is_told(
    alice: Client, conn: Connection, world: World, ports: Ports
) -> None:
    bundle = await workable(alice, conn, world, ports, videos=1)
    slot = (await alice.get(f"/bundles/{bundle}/videos/1")).data["id"]
    reply = await alice.get(f"/videos/{slot}/analytics")

    assert (reply.status, reply.code) == (404, "ANALYTICS_NOT_FOUND")
    assert reply.details == {"status": "accepted"}


async def test_strangers_find_nothing(charlie: Client, alice: Client, account: UUID) -> None:
    bundle = await ordered(alice)
    slot = (await alice.get(f"/bundles/{bundle}/videos/1")).data["id"]

    reply = await charlie.get(f"/accounts/{account}/analytics/videos")
    assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
    for name in (slot, uuid4(), "x"):
        reply = await charlie.get(f"/videos/{name}/analytics")
        assert (reply.status, reply.code) == (404, "VIDEO_NOT_FOUND")


async def test_what_cannot_be_sorted_by_is_named(alice: Client, account: UUID) -> None:
    reply = await alice.get(
        f"/accounts/{account}/analytics/videos?sort_by=bookmarks&sort_order=up&per_page=101"
    )

    assert (reply.status, set(reply.problems)) == (400, {"sort_by", "sort_order", "per_page"})
