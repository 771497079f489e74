"""A manager enters numbers: one account at a time, or posts from a CSV file."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.analytics.collecting import a_post, an_account, url_of
from tests.cast import World
from tokportal_server.accounts.errors import NotAccountsManagerError
from tokportal_server.analytics.operations.store_observations import Stored
from tokportal_server.analytics.providers.manual import (
    EnteredNumbers,
    EnteredPost,
    read_numbers_csv,
)
from tokportal_server.http.errors import ValidationError
from tokportal_server.lib.actor import Actor
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection, existing
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.workbench.operations.enter_metrics import enter_metrics

HAND_OVER = "UPDATE saved_accounts SET manager_id = $2 WHERE id = $1"
POST = "SELECT views, likes, shares, meta FROM tracked_posts WHERE platform_post_id = $1"
LATEST = "SELECT followers, following, views FROM account_latest WHERE saved_account_id = $1"
REEL = "https://www.instagram.com/reel/Cabc0000001/"


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account of Alice's that Mona looks after, with one tracked post."""
    made = await an_account(conn, world.acme)
    await conn.execute(HAND_OVER, made, world.mona)
    await a_post(conn, world.acme, made, "71111")
    return made


async def entered(
    conn: Connection,
    world: World,
    account: UUID,
    numbers: EnteredNumbers,
    *,
    actor: Actor | None = None,
    ago: timedelta = timedelta(0),
) -> Stored:
    now = real_now()
    async with unit_of_work(conn, world.acme, now=now) as tx:
        return await enter_metrics(
            tx=tx,
            actor=actor or world.as_mona,
            account_id=account,
            entered=numbers,
            read_at=now - ago,
        )


async def refused(
    conn: Connection, world: World, account: UUID, numbers: EnteredNumbers, **more: timedelta
) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        await entered(conn, world, account, numbers, **more)  # type: ignore[arg-type]
    return {problem["field"]: problem["message"] for problem in caught.value.details["errors"]}


async def test_what_was_read_is_stored_with_its_source_and_the_rest_stays_unknown(
    conn: Connection, world: World, account: UUID
) -> None:
    numbers = EnteredNumbers(
        followers=310, read_posts=[EnteredPost(platform_url=url_of("71111"), views=0, likes=4)]
    )
    assert (await entered(conn, world, account, numbers)).posts_refreshed == 1
    row = existing(await conn.fetchrow(POST, "71111"))
    assert (row["views"], row["likes"], row["shares"]) == (0, 4, None)
    assert row["meta"]["views"]["source"] == "manual"
    assert row["meta"]["shares"]["reason"] == "not_yet"
    latest = existing(await conn.fetchrow(LATEST, account))
    assert (latest["followers"], latest["following"], latest["views"]) == (310, None, 0)
    [noted] = await conn.fetch("SELECT actor_id, details FROM audit WHERE action LIKE 'analytics%'")
    assert (noted["actor_id"], noted["details"]) == (world.mona, {"posts": 1})


async def test_an_instagram_post_that_a_person_names_first_stays_the_same_post(
    conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme, platform="instagram")
    await conn.execute(HAND_OVER, account, world.mona)
    track = """
    INSERT INTO tracked_posts (workspace_id, saved_account_id, post_key, platform_url, imported,
                               tracked_at) VALUES ($1, $2, 'Cabc0000001', $3, false, now())
    """
    await conn.execute(track, world.acme, account, REEL)
    for views, ago in ((5, timedelta(hours=2)), (9, timedelta(0))):
        numbers = EnteredNumbers(read_posts=[EnteredPost(platform_url=REEL, views=views)])
        stored = await entered(conn, world, account, numbers, ago=ago)
        assert (stored.posts_refreshed, stored.posts_imported) == (1, 0)
    [row] = await conn.fetch("SELECT views FROM tracked_posts")
    assert row["views"] == 9


async def test_refuses_what_cannot_have_been_read(
    conn: Connection, world: World, account: UUID
) -> None:
    post = EnteredPost(platform_url=url_of("71111"), views=1)
    assert await refused(conn, world, account, EnteredNumbers()) == {
        "followers": "is needed, or another number: none was entered"
    }
    told = await refused(
        conn,
        world,
        account,
        EnteredNumbers(
            read_posts=[
                EnteredPost(platform_url=REEL, views=1),
                EnteredPost(platform_url=url_of("79999"), views=1),
                EnteredPost(platform_url=url_of("71111")),
                post,
            ]
        ),
    )
    assert told == {
        "read_posts[0].platform_url": "is not the address of a post on tiktok",
        "read_posts[1].platform_url": "is not tracked: a post is once its slot is finalized",
        "read_posts[2].views": "is needed, or another number of this post",
        "read_posts[3].platform_url": "is entered twice; remove one",
    }
    for ago in (timedelta(minutes=-5), timedelta(days=31)):
        told = await refused(conn, world, account, EnteredNumbers(read_posts=[post]), ago=ago)
        assert list(told) == ["read_at"]


async def test_only_who_looks_after_the_account_enters_its_numbers(
    conn: Connection, world: World, account: UUID
) -> None:
    with pytest.raises(NotAccountsManagerError):
        await entered(
            conn, world, account, EnteredNumbers(followers=1), actor=Actor("manager", world.olga)
        )


def test_a_csv_file_is_read_by_its_heads_and_an_empty_cell_is_no_zero() -> None:
    content = (
        f'\ufeffplatform_url, views ,likes\r\n{url_of("1")},120,\r\n"{url_of("2")}",0,"7"\r\n'
    ).encode()
    posts, problems = read_numbers_csv(content)
    assert problems == []
    assert posts == [
        EnteredPost(platform_url=url_of("1"), views=120),
        EnteredPost(platform_url=url_of("2"), views=0, likes=7),
    ]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"views\n1\n", "file"),
        (b"platform_url,reach\nx,1\n", "file"),
        (b"platform_url,views,views\nx,1,2\n", "file"),
        (b"", "file"),
        (b"\xff\xfe", "file"),
        (b'platform_url,views\n"x,1\n', "file"),
        (b"platform_url,views\nx,many\n", "line 2"),
        (b"platform_url,views\nx,-1\n", "line 2"),
        (b"platform_url,views\n,1\n", "line 2"),
        (b"platform_url,views\nx,1,2\n", "line 2"),
        (b"platform_url,views\n" + b"x,1\n" * 501, "file"),
        (b"platform_url\n" + b"x" * (1 << 20), "file"),
    ],
)
def test_a_csv_file_that_is_wrong_says_where(content: bytes, field: str) -> None:
    posts, problems = read_numbers_csv(content)
    assert [problem.field for problem in problems] == [field]
    assert posts == []
