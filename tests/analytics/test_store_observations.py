"""Storing what a provider has seen: once, in any order, all of it or nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.analytics.collecting import (
    NOON,
    a_post,
    an_account,
    collect,
    comment,
    post,
    reading,
)
from tests.cast import World
from tokportal_server.analytics.observations import PostReading
from tokportal_server.analytics.snapshots import unpack
from tokportal_server.lib.db import Connection, Database, existing
from tokportal_server.orders.errors import SavedAccountNotFoundError

DAY = timedelta(days=1)
TODAY = NOON.date()
POST_ROW = "SELECT * FROM tracked_posts WHERE platform_post_id = $1"
LATEST = "SELECT * FROM account_latest WHERE saved_account_id = $1"
DAYS = """
SELECT day, baseline, gain, fall, seen FROM account_days
 WHERE saved_account_id = $1 AND metric = $2 ORDER BY day
"""
WORKSPACE_DAYS = """
SELECT day, platform, country, baseline, gain, fall, seen, accounts_seen FROM workspace_days
 WHERE workspace_id = $1 AND metric = $2 ORDER BY day, platform, country
"""


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account of Alice's with the posts "1" (of a slot) and "2" (imported)."""
    made = await an_account(conn, world.acme)
    await a_post(conn, world.acme, made, "11111")
    await a_post(conn, world.acme, made, "22222", imported=True)
    return made


async def days(conn: Connection, account: UUID, metric: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch(DAYS, account, metric)]


async def test_the_latest_numbers_stand_on_the_post_with_source_and_time(
    conn: Connection, world: World, account: UUID
) -> None:
    stored = await collect(conn, world.acme, account, post("11111", views=50, likes=0))

    assert (stored.posts_refreshed, stored.posts_imported) == (1, 0)
    row = existing(await conn.fetchrow(POST_ROW, "11111"))
    assert (row["views"], row["likes"], row["shares"]) == (50, 0, None)
    told = {"source": "simulator", "collected_at": "2026-11-20T12:00:00.000Z"}
    assert row["meta"]["views"] == told
    assert row["meta"]["shares"] == {**told, "reason": "not_supported"}
    assert row["description"] == "A cake."


async def test_a_number_that_is_left_out_once_keeps_its_value_and_its_age(
    conn: Connection, world: World, account: UUID
) -> None:
    await collect(conn, world.acme, account, post("11111", views=50))
    await collect(conn, world.acme, account, post("11111", likes=7), at=NOON + DAY)

    row = existing(await conn.fetchrow(POST_ROW, "11111"))
    assert (row["views"], row["likes"]) == (50, 7)
    assert row["meta"]["views"]["collected_at"] == "2026-11-20T12:00:00.000Z"
    assert row["meta"]["likes"]["collected_at"] == "2026-11-21T12:00:00.000Z"


async def test_first_numbers_are_a_gain_of_our_posts_and_a_baseline_of_others(
    conn: Connection, world: World, account: UUID
) -> None:
    await collect(conn, world.acme, account, post("11111", views=50), post("22222", views=900))

    assert await days(conn, account, "views") == [(TODAY, 900, 50, 0, 950)]


async def test_a_counter_that_falls_makes_a_correction_and_no_negative_gain(
    conn: Connection, world: World, account: UUID
) -> None:
    for day, views in enumerate((100, 80, 95)):
        await collect(conn, world.acme, account, post("11111", views=views), at=NOON + day * DAY)

    assert await days(conn, account, "views") == [
        (TODAY, 0, 100, 0, 100),
        (TODAY + DAY, 0, 0, 20, 80),
        (TODAY + 2 * DAY, 0, 15, 0, 95),
    ]


async def test_the_same_reading_twice_is_there_once(
    conn: Connection, world: World, account: UUID
) -> None:
    for _ in range(2):
        stored = await collect(
            conn, world.acme, account, post("11111", views=50), profile=reading(followers=9)
        )

    assert stored.posts_refreshed == 0
    assert await conn.fetchval("SELECT count(*) FROM post_snapshots") == 1
    assert await conn.fetchval("SELECT count(*) FROM account_snapshots") == 1
    assert await days(conn, account, "views") == [(TODAY, 0, 50, 0, 50)]
    assert await days(conn, account, "followers") == [(TODAY, 9, 0, 0, 9)]


async def test_a_reading_that_comes_late_takes_its_place(
    conn: Connection, world: World, account: UUID
) -> None:
    await collect(conn, world.acme, account, post("11111", views=50), at=NOON)
    await collect(conn, world.acme, account, post("11111", views=200), at=NOON + 2 * DAY)
    await collect(conn, world.acme, account, post("11111", views=120, likes=8), at=NOON + DAY)

    assert await days(conn, account, "views") == [
        (TODAY, 0, 50, 0, 50),
        (TODAY + DAY, 0, 70, 0, 120),
        (TODAY + 2 * DAY, 0, 80, 0, 200),
    ]
    row = existing(await conn.fetchrow(POST_ROW, "11111"))
    assert (row["views"], row["likes"]) == (200, 8)
    assert row["read_at"] == NOON + 2 * DAY


async def test_a_late_first_reading_is_where_the_counter_begins(
    conn: Connection, world: World, account: UUID
) -> None:
    await collect(conn, world.acme, account, post("22222", views=500), at=NOON + DAY)
    await collect(conn, world.acme, account, post("22222", views=300), at=NOON)

    assert await days(conn, account, "views") == [
        (TODAY, 300, 0, 0, 300),
        (TODAY + DAY, 0, 200, 0, 500),
    ]
    begun = await conn.fetchval("SELECT begun FROM account_latest")
    assert begun["views"] == TODAY.isoformat()


async def test_accounts_add_up_to_their_workspace(
    conn: Connection, world: World, account: UUID
) -> None:
    sister = await an_account(conn, world.acme, username="acme.two")
    french = await an_account(conn, world.acme, username="acme.fr", country="FR")
    for one, views in ((account, 10), (sister, 20), (french, 40)):
        await collect(conn, world.acme, one, post("33333", views=views), bootstrap=True)
    await collect(conn, world.acme, account, post("33333", views=15), at=NOON + DAY)

    rows = await conn.fetch(WORKSPACE_DAYS, world.acme, "views")
    assert [tuple(row) for row in rows] == [
        (TODAY, "tiktok", "FR", 40, 0, 0, 40, 1),
        (TODAY, "tiktok", "USA", 30, 0, 0, 30, 2),
        (TODAY + DAY, "tiktok", "USA", 0, 5, 0, 15, 1),
    ]


async def test_posts_that_are_not_tracked_are_imported_only_if_asked_for(
    conn: Connection, world: World, account: UUID
) -> None:
    left_alone = await collect(conn, world.acme, account, post("33333", views=5))
    imported = await collect(conn, world.acme, account, post("33333", views=5), bootstrap=True)

    assert (left_alone.posts_refreshed, left_alone.posts_imported) == (0, 0)
    assert (imported.posts_refreshed, imported.posts_imported) == (1, 1)
    assert existing(await conn.fetchrow(POST_ROW, "33333"))["imported"]


async def test_a_post_known_by_its_address_gets_the_platforms_id(
    conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme, platform="instagram")
    await conn.execute(
        "INSERT INTO tracked_posts (workspace_id, saved_account_id, post_key, platform_url,"
        " imported, tracked_at) VALUES ($1, $2, 'Cabc123', 'https://www.instagram.com/p/Cabc123/',"
        " false, now())",
        world.acme,
        account,
    )
    seen = PostReading(
        "1789", "https://www.instagram.com/reel/Cabc123/", None, None, reading(views=3)
    )
    stored = await collect(conn, world.acme, account, seen, bootstrap=True)

    assert (stored.posts_refreshed, stored.posts_imported) == (1, 0)
    row = existing(await conn.fetchrow(POST_ROW, "1789"))
    assert (row["post_key"], row["views"]) == ("Cabc123", 3)


async def test_the_accounts_row_sums_up_its_posts_and_is_as_old_as_the_oldest(
    conn: Connection, world: World, account: UUID
) -> None:
    whole = post("11111", views=50, likes=3, comments=2, shares=1)
    await collect(conn, world.acme, account, whole)
    await collect(
        conn,
        world.acme,
        account,
        post("22222", views=900),
        at=NOON + DAY,
        source="manual",
        profile=reading(followers=77),
    )

    row = existing(await conn.fetchrow(LATEST, account))
    assert (row["views"], row["likes"], row["followers"], row["following"]) == (950, 3, 77, None)
    assert (row["engagements"], row["engaged_views"], row["tracked_posts"]) == (6, 50, 2)
    assert row["meta"]["views"] == {"source": "mixed", "collected_at": "2026-11-20T12:00:00.000Z"}
    assert row["meta"]["followers"]["source"] == "manual"
    assert row["meta"]["bookmarks"]["reason"] == "not_supported"
    assert row["collected_at"] == NOON + DAY


async def test_the_providers_words_are_kept_as_they_came(
    conn: Connection, world: World, account: UUID
) -> None:
    await collect(conn, world.acme, account, post("11111", views=50))

    stored = await conn.fetchval("SELECT payload FROM post_snapshots")
    assert unpack(stored) == b'{"views": 50}'


async def test_snapshots_refuse_to_be_changed(
    conn: Connection, world: World, account: UUID
) -> None:
    await collect(conn, world.acme, account, post("11111", views=50))

    with pytest.raises(asyncpg.RestrictViolationError):
        await conn.execute("UPDATE post_snapshots SET views = 1")


async def test_comments_are_stored_once_and_brought_up_to_date(
    conn: Connection, world: World, account: UUID
) -> None:
    seen = post("11111", views=1)
    first = await collect(
        conn,
        world.acme,
        account,
        seen,
        comments=[
            comment(1, "Nul\0 and \ud800", under="11111"),
            comment(2, under="11111"),
            comment(3, under="99999"),
        ],
    )
    second = await collect(
        conn,
        world.acme,
        account,
        at=NOON + DAY,
        comments=[comment(1, "Edited", under="11111", likes=8)],
    )

    assert (first.comments_collected, second.comments_collected) == (2, 1)
    rows = await conn.fetch("SELECT text, like_count FROM post_comments ORDER BY text")
    assert [tuple(row) for row in rows] == [("Edited", 8), ("Lovely!", 3)]


async def test_a_strangers_account_is_not_found(conn: Connection, world: World) -> None:
    stranger = await an_account(conn, world.other)

    for account in (stranger, uuid4()):
        with pytest.raises(SavedAccountNotFoundError):
            await collect(conn, world.acme, account, post("11111", views=50))


async def test_accounts_are_collected_side_by_side(
    conn: Connection, world: World, database: Database
) -> None:
    accounts = [await an_account(conn, world.acme, username=f"acme{n}") for n in range(6)]

    async def collect_week(account: UUID) -> None:
        async with database.connection() as own:
            # Some come forwards and some backwards, so that they meet on the workspace's days.
            days_of = range(7) if accounts.index(account) % 2 else range(6, -1, -1)
            for day in days_of:
                seen = post("11111", views=10 + day, likes=day, comments=1, shares=1)
                await collect(
                    own,
                    world.acme,
                    account,
                    seen,
                    at=NOON + day * DAY,
                    profile=reading(followers=day),
                    bootstrap=True,
                )

    await asyncio.gather(*map(collect_week, accounts))

    rows = await conn.fetch(WORKSPACE_DAYS, world.acme, "views")
    assert [tuple(row)[3:] for row in rows] == [
        (60, 0, 0, 60, 6),
        *((0, 6, 0, 60 + 6 * day, 6) for day in range(1, 7)),
    ]


async def test_two_collections_of_one_account_queue_up(
    conn: Connection, world: World, database: Database, account: UUID
) -> None:
    async def collect_once(hour: int) -> None:
        async with database.connection() as own:
            at = NOON + timedelta(hours=hour % 4)
            await collect(own, world.acme, account, post("11111", views=10 * (hour % 4)), at=at)

    await asyncio.gather(*(collect_once(hour) for hour in range(8)))

    assert await conn.fetchval("SELECT count(*) FROM post_snapshots") == 4
    assert await days(conn, account, "views") == [(TODAY, 0, 30, 0, 30)]
