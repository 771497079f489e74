from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import NOON, a_post, an_account, collect, comment, post
from tests.analytics.plans import give_plan
from tests.cast import World
from tests.client import Client
from tokportal_server.lib.db import Connection

PATH = "/analytics/comments"
DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
async def account(conn: Connection, world: World) -> UUID:
    """An account of Alice's with five comments under two posts, on the plan ``full``."""
    await give_plan(conn, world.acme, "full")
    made = await an_account(conn, world.acme)
    await a_post(conn, world.acme, made, "11111", published_at=NOON - DAY)
    await a_post(conn, world.acme, made, "22222", published_at=NOON)
    await collect(
        conn,
        world.acme,
        made,
        post("11111", published_at=NOON - DAY, views=100),
        post("22222", views=100),
        comments=[
            comment(1, "I love this serum!", under="11111", likes=9, posted_at=NOON - DAY),
            comment(2, "where did you buy the serum", under="11111", posted_at=NOON - DAY),
            comment(3, "qué asco, es horrible", under="22222", likes=None),
            comment(4, "это", under="22222", posted_at=None),
            comment(5, "I have the same one in blue", under="22222"),
        ],
    )
    return made


async def test_shows_volume_moods_words_questions_and_samples(alice: Client) -> None:
    pulse = (await alice.get(PATH)).data
    assert pulse["volume"] == [
        {"date": "2026-11-19", "count": 2},
        {"date": "2026-11-20", "count": 2},
    ]
    mood = pulse["sentiment"]
    assert (mood["positive"], mood["neutral"], mood["negative"]) == (1, 2, 1)
    assert mood["unknown"] == 1
    assert mood["method"] == "afinn-165-multilingual+emoji/1"
    assert pulse["terms"][0] == {"term": "serum", "count": 2}
    assert [one["text"] for one in pulse["questions"]] == ["where did you buy the serum"]
    assert pulse["samples"][0]["text"] == "I love this serum!"
    assert (pulse["posts_considered"], pulse["comments_considered"]) == (2, 5)


async def test_says_which_contract_it_follows(alice: Client) -> None:
    assert (await alice.get(PATH)).json["contract_version"] == "v2"


async def test_filters_by_post_account_platform_country_and_time(
    alice: Client, conn: Connection, account: UUID
) -> None:
    one = await conn.fetchval("SELECT id FROM tracked_posts WHERE platform_post_id = '11111'")
    expected = {
        f"post={one}": 2,
        f"account={account}": 5,
        "platform=instagram": 0,
        "platform=instagram&platform=tiktok": 5,
        "country=US": 5,
        "country=FR": 0,
        "to=2026-11-19": 2,
        "from=2026-11-20": 3,
        "limit=1": 1,
        "postLimit=1": 3,
    }
    found = {
        query: (await alice.get(f"{PATH}?{query}")).data["comments_considered"]
        for query in expected
    }
    assert found == expected


async def test_leaves_out_what_a_platforms_terms_forbid_and_says_so(
    alice: Client, conn: Connection
) -> None:
    await conn.execute("UPDATE post_comments SET source = 'tiktok_api'")
    pulse = (await alice.get(PATH)).data
    assert pulse["comments_considered"] == 0
    assert [one["platform"] for one in pulse["off"]] == ["tiktok"]
    assert "terms" in pulse["off"][0]["reason"]


async def test_another_workspace_sees_nothing_of_it(
    charlie: Client, conn: Connection, world: World, account: UUID
) -> None:
    await give_plan(conn, world.other, "full")
    assert (await charlie.get(PATH)).data["comments_considered"] == 0
    refused = await charlie.get(f"{PATH}?account={account}")
    assert (refused.status, refused.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


async def test_an_unknown_post_is_not_found(alice: Client) -> None:
    refused = await alice.get(f"{PATH}?post={uuid4()}")
    assert (refused.status, refused.code) == (404, "POST_NOT_FOUND")


async def test_needs_the_plan_full(alice: Client, conn: Connection, world: World) -> None:
    await give_plan(conn, world.acme, "creator")
    refused = await alice.get(PATH)
    assert (refused.status, refused.code) == (403, "ANALYTICS_LEVEL_REQUIRED")
    assert refused.details == {"required_level": "full", "current_level": "creator"}


async def test_needs_a_key(nobody: Client) -> None:
    assert (await nobody.get(PATH)).code == "AUTH_MISSING_KEY"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=2001", "postLimit=0", "from=2026-11-02&to=2026-11-01", "account=x"]
)
async def test_refuses_values_out_of_bounds(alice: Client, query: str) -> None:
    refused = await alice.get(f"{PATH}?{query}")
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
