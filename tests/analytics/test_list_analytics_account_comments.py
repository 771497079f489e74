"""``GET /analytics/accounts/{id}/comments``."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.analytics.collecting import GRANT_PLAN, NOON, a_post, an_account, collect, comment
from tests.cast import World
from tests.client import Client
from tokportal_server.lib.db import Connection

HOUR = timedelta(hours=1)


@pytest.fixture
async def ids(conn: Connection, world: World) -> tuple[UUID, UUID]:
    """An account with comments under two posts, and the first post."""
    await conn.execute(GRANT_PLAN, world.acme)
    account = await an_account(conn, world.acme)
    first = await a_post(conn, world.acme, account, "11111")
    await a_post(conn, world.acme, account, "22222")
    comments = [
        comment(1, "first", under="11111", posted_at=NOON),
        comment(2, "second", under="11111", posted_at=NOON + HOUR, author="Zo\u00eb"),
        comment(3, "undated", under="11111", posted_at=None),
        comment(4, "elsewhere", under="22222", posted_at=NOON + 2 * HOUR),
    ]
    await collect(conn, world.acme, account, comments=comments)
    return account, first


async def texts(alice: Client, account: UUID, query: str = "") -> list[str]:
    reply = await alice.get(f"/analytics/accounts/{account}/comments?{query}")
    return [row["text"] for row in reply.data]


async def test_those_posted_last_come_first(alice: Client, ids: tuple[UUID, UUID]) -> None:
    account, tracked = ids

    assert await texts(alice, account) == ["elsewhere", "second", "first", "undated"]
    assert await texts(alice, account, f"trackedPostId={tracked}&limit=2") == ["second", "first"]
    assert await texts(alice, account, "postId=22222") == ["elsewhere"]


async def test_a_comment_says_what_is_known_of_it(alice: Client, ids: tuple[UUID, UUID]) -> None:
    [row] = (await alice.get(f"/analytics/accounts/{ids[0]}/comments?postId=22222")).data

    assert (row["author_handle"], row["like_count"], row["reply_count"]) == ("guest", 3, None)
    assert row["posted_at"] == "2026-11-20T14:00:00.000Z"
    assert row["collected_at"] == "2026-11-20T12:00:00.000Z"
    assert row["source"] == "simulator"


async def test_posts_of_others_are_not_found(
    alice: Client, conn: Connection, world: World, ids: tuple[UUID, UUID]
) -> None:
    other = await an_account(conn, world.acme, username="acme.two")
    theirs = await a_post(conn, world.acme, other, "99999")
    for query in (f"trackedPostId={theirs}", f"trackedPostId={uuid4()}", "postId=99999"):
        reply = await alice.get(f"/analytics/accounts/{ids[0]}/comments?{query}")
        assert (reply.status, reply.code) == (404, "POST_NOT_FOUND")


async def test_a_post_is_named_once(alice: Client, ids: tuple[UUID, UUID]) -> None:
    query = f"trackedPostId={ids[1]}&postId=11111"
    reply = await alice.get(f"/analytics/accounts/{ids[0]}/comments?{query}")

    assert (reply.status, list(reply.problems)) == (400, ["postId"])


async def test_only_the_plan_full_has_them_and_strangers_find_nothing(
    alice: Client, charlie: Client, conn: Connection, ids: tuple[UUID, UUID]
) -> None:
    await conn.execute("UPDATE workspaces SET plan = 'creator'")
    reply = await alice.get(f"/analytics/accounts/{ids[0]}/comments")
    assert (reply.status, reply.code) == (403, "ANALYTICS_LEVEL_REQUIRED")
    reply = await charlie.get(f"/analytics/accounts/{ids[0]}/comments")
    assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")
