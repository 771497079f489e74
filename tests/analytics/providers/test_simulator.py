"""The simulated platform: the same moment shows the same numbers, and time makes them grow."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analytics.collecting import NOON, an_account
from tests.cast import World
from tokportal_server.analytics.observations import (
    POST_METRICS,
    Collected,
    ProviderFailedError,
    Wanted,
)
from tokportal_server.analytics.providers.simulated_comments import comments_under
from tokportal_server.analytics.providers.simulator import (
    SimulatedPost,
    Simulator,
    metrics_at,
    seed_of,
)
from tokportal_server.lib.db import Connection

DESCRIBE = "UPDATE saved_accounts SET biography = $2, delivered_at = $3 WHERE id = $1"
DAY = timedelta(days=1)


def a_post_named(key: str) -> SimulatedPost:
    return SimulatedPost(key, "https://example.com/", None, NOON)


async def collected(
    conn: Connection, world: World, account: UUID, now: datetime, **more: Any
) -> Collected:
    asked: dict[str, Any] = {
        "platform": "tiktok",
        "posts": None,
        "include_posts": True,
        "include_comments": False,
        "bootstrap": False,
        "post_limit": 100,
        **more,
    }
    wanted = Wanted(workspace_id=world.acme, account_id=account, username="acme", **asked)
    return await Simulator(lambda: nullcontext(conn), now).collect(wanted)


@given(key=st.text(min_size=1, max_size=12), hours=st.lists(st.floats(0, 5000), min_size=2))
def test_numbers_only_grow_but_for_the_one_fall_that_some_posts_have(
    key: str, hours: list[float]
) -> None:
    post = a_post_named(key)
    values = [metrics_at(post, NOON + timedelta(hours=h)) for h in sorted(hours)]
    falls = 0
    for before, after in pairwise(values):
        falls += after["views"] < before["views"]
        assert set(after) == set(POST_METRICS)
        assert all(0 <= after[m] <= after["views"] for m in POST_METRICS)
    assert falls <= (seed_of(key) % 10 == 0)


def test_some_post_falls() -> None:
    falling = next(key for key in map(str, range(100)) if seed_of(key) % 10 == 0)
    post = a_post_named(falling)
    before = metrics_at(post, NOON + timedelta(hours=72))["views"]
    assert metrics_at(post, NOON + timedelta(hours=72.1))["views"] < before


async def test_the_same_moment_shows_the_same_numbers_and_a_later_one_more(
    conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme)
    await conn.execute(DESCRIBE, account, None, NOON)
    first = await collected(conn, world, account, NOON + DAY, include_comments=True)
    assert first == await collected(conn, world, account, NOON + DAY, include_comments=True)
    assert (first.source, first.collected_at) == ("simulator", NOON + DAY)
    # What was there before anybody worked on the account.
    assert len(first.posts) == 2
    later = await collected(conn, world, account, NOON + 90 * DAY, include_comments=True)
    assert later.posts[0].reading.metrics["views"] > first.posts[0].reading.metrics["views"]
    assert first.account is not None
    assert later.account is not None
    assert later.account.metrics["followers"] > first.account.metrics["followers"]


def test_comments_come_one_by_one_in_several_languages() -> None:
    everything = list(comments_under("1", 7_654_321, 40, since=NOON, now=NOON + 9 * DAY))
    assert len({comment.id for comment in everything}) == 40
    assert {"Where can I buy it?", "¿Cuánto cuesta?"} & {c.text for c in everything}
    assert any(not comment.text.isascii() for comment in everything)
    early = NOON + timedelta(hours=5)
    some = list(comments_under("1", 7_654_321, 40, since=NOON, now=early))
    assert some == everything[: len(some)]
    assert 0 < len(some) < 40
    assert all(comment.posted_at and comment.posted_at <= early for comment in some)


async def test_each_platform_lacks_what_it_lacks(conn: Connection, world: World) -> None:
    tiktok = await an_account(conn, world.acme)
    await conn.execute(DESCRIBE, tiktok, None, NOON)
    [post, _] = (await collected(conn, world, tiktok, NOON)).posts
    assert post.reading.missing == {"bookmarks": "not_supported"}
    instagram = await an_account(conn, world.acme, platform="instagram", username="acme.two")
    await conn.execute(DESCRIBE, instagram, None, NOON)
    more = {"platform": "instagram"}
    [post, _] = (await collected(conn, world, instagram, NOON, **more)).posts
    assert post.reading.missing == {}
    # Twelve days before the delivery the newer one was published.
    young = NOON - 12 * DAY + timedelta(hours=3)
    [post, _] = (await collected(conn, world, instagram, young, **more)).posts
    assert set(post.reading.missing.items()) == {
        ("views", "not_yet"),
        ("shares", "not_yet"),
        ("bookmarks", "not_yet"),
    }


async def test_words_in_the_biography_play_what_can_go_wrong(
    conn: Connection, world: World
) -> None:
    account = await an_account(conn, world.acme, platform="instagram")
    more = {"platform": "instagram"}
    await conn.execute(DESCRIBE, account, "Hi simulate:no_permission", NOON)
    [post, _] = (await collected(conn, world, account, NOON, **more)).posts
    assert post.reading.missing["views"] == "no_permission"
    await conn.execute(DESCRIBE, account, "simulate:outage", NOON)
    with pytest.raises(ProviderFailedError) as caught:
        await collected(conn, world, account, NOON, **more)
    assert caught.value.retryable
    await conn.execute(DESCRIBE, account, "simulate:flaky", NOON)
    outcomes = []
    for hours in range(0, 24, 6):
        try:
            await collected(conn, world, account, NOON + timedelta(hours=hours), **more)
            outcomes.append(True)
        except ProviderFailedError:
            outcomes.append(False)
    assert sorted(outcomes) == [False, False, True, True]
