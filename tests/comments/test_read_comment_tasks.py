"""``listCommentTasks``, ``getCommentTask`` and ``listCommentTaskVerifications``."""

from __future__ import annotations

import pytest

from tests.cast import World
from tests.client import Client
from tests.comments.steps import Shown, commented, delivered, looked_for, submitted
from tokportal_server.comments.verification import FoundComment
from tokportal_server.lib.db import Connection


@pytest.fixture
async def tasks(alice: Client, conn: Connection, world: World, account: str) -> list[str]:
    """A pending, a submitted and a cancelled task, and a pending one of another account."""
    other = await delivered(conn, world, "acme.two")
    made = [await commented(alice, account, n) for n in (1, 2, 3)]
    made.append(await commented(alice, other, 4, comment_text="Something else."))
    await submitted(conn, world, made[1])
    await alice.call("DELETE", f"/comments/{made[2]}")
    return made


async def test_lists_the_newest_first_by_pages(alice: Client, tasks: list[str]) -> None:
    first = await alice.get("/comments?per_page=3")
    assert [row["id"] for row in first.data] == tasks[:0:-1]
    assert first.json["pagination"] == {"page": 1, "per_page": 3, "total": 4, "total_pages": 2}
    second = await alice.get("/comments?per_page=3&page=2")
    assert [row["id"] for row in second.data] == tasks[:1]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("status=pending", {0, 3}),
        ("status=pending,submitted", {0, 1, 3}),
        ("status=submitted&status=cancelled", {1, 2}),
        ("status=submitted,%20cancelled&status=pending", {0, 1, 2, 3}),
        ("status=finalized", set()),
        ("saved_account_id={account}", {0, 1, 2}),
        ("saved_account_id={account}&status=pending", {0}),
    ],
)
async def test_filters_by_statuses_and_account(
    alice: Client, account: str, tasks: list[str], query: str, chosen: set[int]
) -> None:
    reply = await alice.get(f"/comments?{query.format(account=account)}")
    assert {row["id"] for row in reply.data} == {tasks[n] for n in chosen}
    assert reply.json["pagination"]["total"] == len(chosen)


async def test_an_account_that_is_not_the_workspaces_is_not_found(
    alice: Client, charlie: Client, account: str
) -> None:
    for client, named in ((alice, "00000000-0000-4000-9000-000000000000"), (charlie, account)):
        reply = await client.get(f"/comments?saved_account_id={named}")
        assert (reply.status, reply.code) == (404, "SAVED_ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize("query", ["status=gone", "status=", "status=pending,,submitted"])
async def test_a_status_that_there_is_not_is_refused(alice: Client, query: str) -> None:
    reply = await alice.get(f"/comments?{query}")
    assert (reply.status, set(reply.problems)) == (400, {"status"})


async def test_shows_only_the_workspaces_own(
    alice: Client, charlie: Client, tasks: list[str]
) -> None:
    assert (await charlie.get("/comments")).data == []
    for path in ("", "/verifications"):
        assert (await alice.get(f"/comments/{tasks[0]}{path}")).status == 200
        reply = await charlie.get(f"/comments/{tasks[0]}{path}")
        assert (reply.status, reply.code) == (404, "COMMENT_TASK_NOT_FOUND")


async def test_shows_every_look_at_the_platform(
    alice: Client, conn: Connection, tasks: list[str]
) -> None:
    task_id = tasks[1]
    nothing = (await alice.get(f"/comments/{task_id}/verifications")).data
    assert nothing == {"task_id": task_id, "status": "submitted", "attempts": []}
    await looked_for(conn, Shown())
    text = (await alice.get(f"/comments/{task_id}")).data["comment_text"]
    await looked_for(conn, Shown(FoundComment("7400001", "acme.daily", text)), hours=1.1)
    shown = (await alice.get(f"/comments/{task_id}/verifications")).data
    assert shown["status"] == "verified_auto"
    first, second = shown["attempts"]
    assert first.pop("scraped_at") < second.pop("scraped_at")
    assert first.pop("reason")
    assert first == {
        "attempt_n": 1,
        "outcome_kind": "couldnt_verify",
        "verified": False,
        "match_score": None,
        "found_comment_id": None,
        "comments_scraped": 0,
        "platform": "tiktok",
    }
    assert second == {
        "attempt_n": 2,
        "outcome_kind": "verified",
        "verified": True,
        "match_score": 1.0,
        "found_comment_id": "7400001",
        "reason": None,
        "comments_scraped": 1,
        "platform": "tiktok",
    }
